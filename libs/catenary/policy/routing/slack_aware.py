"""A replica where everybody stays in time: warm prefixes first, then the least loaded."""

from __future__ import annotations

from collections.abc import Sequence

from catenary.model.dispatch import QueuedCall, ReplicaLoad
from catenary.policy.prediction import duration_s, loaded_step_s
from catenary.policy.routing.decision import RoutingContext, RoutingDecision
from catenary.policy.routing.protection import harm, own_chance

PREFIX_WEIGHT = 0.5


def slack_aware(call: QueuedCall, replicas: Sequence[ReplicaLoad], context: RoutingContext) -> RoutingDecision:
    """Rule: a patient call goes where it and the residents lose the least chance of keeping their latest finish, and
    waits where that replica is full. Otherwise, of the replicas where the call and every resident still meet their
    latest finish after placement, the one with the most of the prompt warm and the fewest calls; where there is none,
    the least loaded; with no free place the call waits.

    Inputs: latest finishes (s), expected finishes and tokens so far of the residents, the profile at the batch after
    placement, and the share of the prompt's blocks that a replica has seen. Tie-break: fewest calls, worker id.
    Trade-off: a warm prefix outweighs half a batch of load; patience keeps seats free that others could use, so it ends
    when the queue grows. Source: Zhang et al., section IV, for the filter; packing the busiest replica (best fit) was
    tried and costs attainment at every load, see docs/policies.md.
    """
    free = [replica for replica in replicas if replica.free_places > 0]
    if not free:
        return RoutingDecision(None, "no free place")
    if context.patient:
        return _least_harm(call, replicas, context)
    best = _keeping_time(call, free, context)
    if best is not None:
        return RoutingDecision(best.worker_id, "keeps every latest finish", expected_finish(call, best, context))
    urgent = min(free, key=lambda replica: (replica.burden, replica.worker_id))
    return RoutingDecision(urgent.worker_id, "least loaded", expected_finish(call, urgent, context))


def _least_harm(call: QueuedCall, replicas: Sequence[ReplicaLoad], context: RoutingContext) -> RoutingDecision:
    """A tenant over its share may do next to no harm at all; anybody else little more than the best replica costs."""
    if call.over_share:
        scored = [(harm(call, replica, context), replica) for replica in replicas]
        bound = context.harm_bound
    else:
        scored = [(harm(call, replica, context) - own_chance(call, replica, context), replica) for replica in replicas]
        bound = min(loss for loss, _ in scored) + context.harm_bound
    fits = [replica for loss, replica in scored if loss <= bound and replica.free_places > 0]
    if not fits:
        return RoutingDecision(None, "waits so that a call already placed stays in time")
    best = min(fits, key=lambda replica: (-_score(call, replica), replica.worker_id))
    return RoutingDecision(best.worker_id, "takes the least from those placed", expected_finish(call, best, context))


def _keeping_time(call: QueuedCall, replicas: Sequence[ReplicaLoad], context: RoutingContext) -> ReplicaLoad | None:
    fits = [
        replica
        for replica in replicas
        if expected_finish(call, replica, context) <= call.latest_finish and residents_keep_time(call, replica, context)
    ]
    return min(fits, key=lambda replica: (-_score(call, replica), replica.worker_id), default=None)


def _score(call: QueuedCall, replica: ReplicaLoad) -> float:
    return PREFIX_WEIGHT * warm_share(call, replica) - replica.burden / replica.max_num_seqs


def expected_finish(call: QueuedCall, replica: ReplicaLoad, context: RoutingContext) -> float:
    """When the call would end there: after the wait for a seat where it takes a lookahead place."""
    batch = min(replica.num_placed + 1, replica.max_num_seqs)
    duration = duration_s(context.profile, call.prompt_tokens, call.output.q50, batch, context.traffic_at(replica))
    return context.now + seat_wait_s(replica, context.now) + duration


def seat_wait_s(replica: ReplicaLoad, now: float) -> float:
    """Seconds until a seat frees for one more call: the k-th earliest end, k calls waiting in the engine with it."""
    ahead = replica.num_placed - replica.max_num_seqs
    if ahead < 0:
        return 0.0
    ends = sorted(resident.expected_finish for resident in replica.residents.values())
    return max(0.0, ends[min(ahead, len(ends) - 1)] - now)


def residents_keep_time(call: QueuedCall, replica: ReplicaLoad, context: RoutingContext) -> bool:
    """No resident that is in time now would miss its latest finish by the newcomer's prefill and the larger batch."""
    if replica.free_seats <= 0:
        return True
    stall, stretch = slowdown(call, replica, context)
    for resident in replica.residents.values():
        limit = resident.call.latest_finish
        finish = resident.expected_finish
        if finish <= limit < finish + stall + max(0.0, finish - context.now) * stretch:
            return False
    return True


def slowdown(call: QueuedCall, replica: ReplicaLoad, context: RoutingContext) -> tuple[float, float]:
    """What one more call costs those already there: seconds at once, and a share of their remaining time."""
    profile, traffic = context.profile, context.traffic_at(replica)
    stall = profile.prefill_s(call.prompt_tokens) * profile.correction
    step = loaded_step_s(profile, replica.num_placed, traffic)
    added = profile.step_seq_s + profile.step_context_s * (call.prompt_tokens + call.output.q50 / 2)
    return stall, added * profile.correction * traffic.interference / step if step > 0 else 0.0


def warm_share(call: QueuedCall, replica: ReplicaLoad) -> float:
    """Share of the prompt's leading blocks that were sent to this replica before, 0..1."""
    if not call.prefix_hashes or not replica.prefixes:
        return 0.0
    warm = 0
    for block in call.prefix_hashes:
        if block not in replica.prefixes:
            break
        warm += 1
    return warm / len(call.prefix_hashes)
