"""The replica with the fewest calls."""

from __future__ import annotations

from collections.abc import Sequence

from catenary.model.dispatch import QueuedCall, ReplicaLoad
from catenary.policy.prediction import duration_s
from catenary.policy.routing.decision import RoutingContext, RoutingDecision


def least_loaded(call: QueuedCall, replicas: Sequence[ReplicaLoad], context: RoutingContext) -> RoutingDecision:
    """Rule: of the replicas with a free place, the one that holds the fewest calls.

    Inputs: placed calls per replica. Tie-break: worker id. Trade-off: spreads work, so an urgent call finds every batch
    equally full. Source: the usual default of request routers.
    """
    free = [replica for replica in replicas if replica.free_places > 0]
    if not free:
        return RoutingDecision(None, "no free place")
    best = min(free, key=lambda replica: (replica.num_placed, replica.worker_id))
    return place(call, best, context, "least loaded")


def place(call: QueuedCall, replica: ReplicaLoad, context: RoutingContext, reason: str) -> RoutingDecision:
    batch = min(replica.num_placed + 1, replica.max_num_seqs)
    expected = duration_s(context.profile, call.prompt_tokens, call.output.q50, batch, context.traffic)
    return RoutingDecision(replica.worker_id, reason, context.now + expected)
