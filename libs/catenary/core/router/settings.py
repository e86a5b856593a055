"""What the router is configured with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """``late_share``: part of a pool's seats that runs already lost may hold while others wait or half of
    the seats are taken, 0..1.

    ``triage``: where not every waiting call can be in time, the longest are left out; ``triage_margin``: how many
    standard deviations of a run's remaining time count as needed for that.

    ``protect``: a call that can wait is kept from a replica where it costs more than ``harm_bound`` expected misses
    beyond the best one; it can while at most ``patience_share`` of the pool's seats' number of calls wait.

    ``return_grace_s``: how long a worker that was lost or drains counts as on its way back.

    ``wakes``: somebody wakes sleeping replicas when calls come.
    """

    ordering: str = "least_slack"
    routing: str = "slack_aware"
    shed_lost: bool = True
    triage: bool = True
    triage_margin: float = 2.0
    protect: bool = True
    harm_bound: float = 0.02
    patience_share: float = 0.25
    queue_limit: int = 10_000
    reservation_ttl_s: float = 30.0
    late_share: float = 0.1
    max_prefixes: int = 4096
    return_grace_s: float = 30.0
    wakes: bool = False
    epoch: int = 0
