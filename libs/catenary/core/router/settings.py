"""What the router is configured with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """``late_share``: part of a pool's seats that runs already lost may hold while others wait, 0..1."""

    ordering: str = "least_slack"
    routing: str = "slack_aware"
    shed_lost: bool = True
    triage: bool = True
    margin: float = 0.5
    lost_z: float = 1.28
    queue_limit: int = 10_000
    reservation_ttl_s: float = 30.0
    late_share: float = 0.1
    max_prefixes: int = 4096
