"""Times that bound the provisioner's patience."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProvisionerSettings:
    """Times in seconds.

    ``stable_s`` of readiness make earlier failures forgotten. A worker is given up after ``start_timeout_s`` without
    all of its models or ``unresponsive_s`` without a snapshot. A replica lease lasts ``lease_s`` after each request.
    """

    start_timeout_s: float = 900.0
    unresponsive_s: float = 15.0
    backoff_s: float = 0.5
    max_backoff_s: float = 30.0
    stable_s: float = 60.0
    lease_s: float = 60.0
    external: bool = False
    max_workers: int = 1024
    policy: str = "static"
    plan_interval_s: float = 1.0


@dataclass(slots=True)
class Backoff:
    """Delays that double with each failure in a row, from ``first_s`` to ``max_s``."""

    first_s: float
    max_s: float
    failures: int = 0

    def fail(self) -> float:
        """Seconds to wait after one more failure."""
        self.failures += 1
        return self.delay_s

    def reset(self) -> None:
        self.failures = 0

    @property
    def delay_s(self) -> float:
        if self.failures == 0:
            return 0.0
        return min(self.max_s, self.first_s * 2.0 ** min(self.failures - 1, 60))
