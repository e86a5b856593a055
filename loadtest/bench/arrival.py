"""One run that a load generator submits, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Arrival:
    """``at_s`` counts from the start of the load; ``inputs`` are what the client sends.

    ``output_tokens`` and ``own_latency_s`` (the run alone on idle engines) are the truth, for judging alone.
    """

    number: int
    at_s: float
    inputs: Mapping[str, Any]
    deadline_s: float
    own_latency_s: float
    output_tokens: int
    tenant: str = "default"


@dataclass(frozen=True, slots=True)
class CallFigures:
    """One call of a run. Times are seconds; ``slack_after_s`` is None where the system knows no slack."""

    name: str
    queue_s: float
    duration_s: float
    output_tokens: int
    slack_before_s: float | None = None
    slack_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """What the system answered: an Outcome's name, and the calls that ended."""

    outcome: str
    reason: str = ""
    calls: tuple[CallFigures, ...] = ()
    token_events: int = 0

    @property
    def succeeded(self) -> bool:
        return self.outcome == "SUCCEEDED"

    @property
    def refused(self) -> bool:
        return self.outcome.startswith("REJECTED") or self.outcome == "NO_WORKERS"


@dataclass(frozen=True, slots=True)
class Finished:
    """A run seen by its client. ``sent_s`` and ``ended_s`` count from the start of the load.

    The latency counts from the intended arrival, not from when the generator got round to sending it.
    """

    arrival: Arrival
    sent_s: float
    ended_s: float
    ending: Ending = field(default_factory=lambda: Ending("FAILED"))

    @property
    def latency_s(self) -> float:
        return self.ended_s - self.arrival.at_s

    @property
    def lag_s(self) -> float:
        """How late the generator was."""
        return self.sent_s - self.arrival.at_s

    @property
    def met(self) -> bool:
        return self.ending.succeeded and self.latency_s <= self.arrival.deadline_s
