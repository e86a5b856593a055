"""A replica where everybody stays in time: warm prefixes first, then the least loaded."""

from __future__ import annotations

from collections.abc import Sequence

from catenary.model.dispatch import QueuedCall, ReplicaLoad
from catenary.policy.prediction import duration_s, loaded_step_s
from catenary.policy.routing.decision import RoutingContext, RoutingDecision

PREFIX_WEIGHT = 0.5


def slack_aware(call: QueuedCall, replicas: Sequence[ReplicaLoad], context: RoutingContext) -> RoutingDecision:
    """Rule: of the replicas where the call and every resident still meet their latest finish after placement, the one
    with the most of the prompt warm and the fewest calls; where there is none, the least loaded; with no free place
    the call waits.

    Inputs: latest finishes (s), expected finishes of the residents (s), the profile at the batch after placement, and
    the share of the prompt's blocks that a replica has seen. Tie-break: worker id. Trade-off: a warm prefix outweighs
    half a batch of load. Source: Zhang et al., section IV, for the filter; packing the busiest replica (best fit) was
    tried and costs attainment at every load, see docs/simulation.md.
    """
    best: ReplicaLoad | None = None
    best_score = (-2.0, "")
    best_finish = 0.0
    for replica in replicas:
        if replica.free_places <= 0:
            continue
        finish = expected_finish(call, replica, context)
        if finish > call.latest_finish or not residents_keep_time(call, replica, context):
            continue
        score = (
            PREFIX_WEIGHT * warm_share(call, replica) - replica.num_placed / replica.max_num_seqs,
            replica.worker_id,
        )
        if best is None or score[0] > best_score[0] or (score[0] == best_score[0] and score[1] < best_score[1]):
            best, best_score, best_finish = replica, score, finish
    if best is not None:
        return RoutingDecision(best.worker_id, "keeps every latest finish", best_finish)
    free = [replica for replica in replicas if replica.free_places > 0]
    if not free:
        return RoutingDecision(None, "no free place")
    urgent = min(free, key=lambda replica: (replica.num_placed, replica.worker_id))
    return RoutingDecision(urgent.worker_id, "least loaded", expected_finish(call, urgent, context))


def expected_finish(call: QueuedCall, replica: ReplicaLoad, context: RoutingContext) -> float:
    """When the call would end there: after the wait for a seat where it takes a lookahead place."""
    batch = min(replica.num_placed + 1, replica.max_num_seqs)
    duration = duration_s(context.profile, call.prompt_tokens, call.output.q50, batch, context.traffic)
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
    stall, stretch = slowdown(call, replica.num_placed, context)
    for resident in replica.residents.values():
        limit = resident.call.latest_finish
        finish = resident.expected_finish
        if finish <= limit < finish + stall + max(0.0, finish - context.now) * stretch:
            return False
    return True


def slowdown(call: QueuedCall, batch: int, context: RoutingContext) -> tuple[float, float]:
    """What one more call costs those already there: seconds at once, and a share of their remaining time."""
    profile, traffic = context.profile, context.traffic
    stall = profile.prefill_s(call.prompt_tokens) * profile.correction
    step = loaded_step_s(profile, batch, traffic)
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
