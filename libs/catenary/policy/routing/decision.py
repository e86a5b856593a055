"""What a routing policy is given and what it answers."""

from __future__ import annotations

from catenary.model.dispatch import ReplicaLoad
from catenary.model.profile import EngineProfile
from catenary.model.record import record
from catenary.policy.prediction import Traffic


@record(frozen=True, slots=True)
class RoutingContext:
    """The moment, the pool's prediction and how many calls this pool has placed before (for round robin).

    ``patient``: the call can wait for the sake of those already placed; ``harm_bound``: how many more expected misses
    than the best replica one may cost to be taken then.
    """

    now: float
    profile: EngineProfile
    traffic: Traffic
    num_placed_before: int = 0
    patient: bool = False
    harm_bound: float = 0.02

    def traffic_at(self, replica: ReplicaLoad) -> Traffic:
        """The pool's traffic at this replica's own speed."""
        return self.traffic.at(replica.slowness)


@record(frozen=True, slots=True)
class RoutingDecision:
    """The replica picked, or None: the call waits. ``expected_finish`` in monotonic seconds."""

    worker_id: str | None
    reason: str
    expected_finish: float = 0.0
