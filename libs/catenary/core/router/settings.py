"""What the router is configured with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """``late_share``: part of a pool's seats that runs already lost may hold while others wait, 0..1.

    ``triage``: where not every waiting call can be in time, the longest are left out; ``triage_margin``: how many
    standard deviations of a run's remaining time count as needed for that.
    """

    ordering: str = "least_slack"
    routing: str = "slack_aware"
    shed_lost: bool = True
    triage: bool = True
    triage_margin: float = 2.0
    queue_limit: int = 10_000
    reservation_ttl_s: float = 30.0
    late_share: float = 0.1
    max_prefixes: int = 4096
    epoch: int = 0
