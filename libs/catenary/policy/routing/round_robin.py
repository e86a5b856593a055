"""One replica after the other."""

from __future__ import annotations

from collections.abc import Sequence

from catenary.model.dispatch import QueuedCall, ReplicaLoad
from catenary.policy.routing.decision import RoutingContext, RoutingDecision
from catenary.policy.routing.least_loaded import place


def round_robin(call: QueuedCall, replicas: Sequence[ReplicaLoad], context: RoutingContext) -> RoutingDecision:
    """Rule: the next replica with a free place, in order of worker id.

    Inputs: calls placed by the pool so far. Tie-break: none needed. Trade-off: no state read, uneven when lengths vary.
    """
    ordered = sorted(replicas, key=lambda replica: replica.worker_id)
    for step in range(len(ordered)):
        replica = ordered[(context.num_placed_before + step) % len(ordered)]
        if replica.free_places > 0:
            return place(call, replica, context, "round robin")
    return RoutingDecision(None, "no free place")
