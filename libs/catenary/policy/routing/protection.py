"""What a newcomer takes from the calls that a replica already runs."""

from __future__ import annotations

from math import erf, log, sqrt

from catenary.model.dispatch import NEVER, QueuedCall, ReplicaLoad
from catenary.model.lengths import LengthEstimate
from catenary.policy.prediction import loaded_step_s
from catenary.policy.routing.decision import RoutingContext
from catenary.policy.span import Z90

NEARLY_SURE = 0.999
OUTLIVED = 0.99999
"""Of calls that have produced more than all but a few of their kind nothing is known."""
LEAST_STEP_S = 1e-9
SQRT2 = sqrt(2)


def harm(call: QueuedCall, replica: ReplicaLoad, context: RoutingContext) -> float:
    """Expected number of residents that miss their latest finish by the newcomer's prefill and the larger batch, where
    nobody else comes after it. A tenant over its share need not spare others that are."""
    profile, traffic, now = context.profile, context.traffic_at(replica), context.now
    batch = replica.num_placed
    factor = profile.correction * traffic.interference
    quiet_s = max(LEAST_STEP_S, profile.step_s(batch, batch * (traffic.mean_prompt + traffic.mean_output / 2)) * factor)
    after_s = quiet_s + (profile.step_seq_s + profile.step_context_s * call.prompt_tokens) * factor
    stall_s = profile.prefill_s(call.prompt_tokens) * profile.correction
    total = 0.0
    for resident in replica.residents.values():
        held = resident.call
        left_s = held.latest_finish - now
        if held.latest_finish == NEVER or left_s <= 0 or (call.over_share and held.over_share):
            continue
        done = resident.output_tokens + max(0.0, now - resident.seen_at) / quiet_s
        tokens = (left_s - stall_s) / after_s
        if done + tokens >= held.max_tokens:
            continue
        total += _fall(held.output, done, left_s / quiet_s, tokens)
    return total


def own_chance(call: QueuedCall, replica: ReplicaLoad, context: RoutingContext) -> float:
    """P(the call keeps its latest finish there), others coming and going as they do."""
    if call.latest_finish == NEVER:
        return 1.0
    profile = context.profile
    batch = min(replica.num_placed + 1, replica.max_num_seqs)
    left_s = call.latest_finish - context.now - profile.prefill_s(call.prompt_tokens) * profile.correction
    tokens = left_s / max(LEAST_STEP_S, loaded_step_s(profile, batch, context.traffic_at(replica)))
    return 1.0 if tokens >= call.max_tokens else chance(call.output, 0, tokens)


def chance(estimate: LengthEstimate, done: float, tokens: float) -> float:
    """P(at most ``tokens`` more | more than ``done``), the length lognormal through its median and q90."""
    if tokens <= 0:
        return 0.0
    median, scale = _lognormal(estimate)
    return _given(_ended(done + tokens, median, scale), _ended(done, median, scale))


def _fall(estimate: LengthEstimate, done: float, before: float, after: float) -> float:
    """By how much ``chance`` falls where ``after`` more tokens are allowed rather than ``before``; 0 where it stays
    nearly sure."""
    median, scale = _lognormal(estimate)
    begun = _ended(done, median, scale)
    with_it = _given(_ended(done + after, median, scale), begun) if after > 0 else 0.0
    return _given(_ended(done + before, median, scale), begun) - with_it if with_it < NEARLY_SURE else 0.0


def _lognormal(estimate: LengthEstimate) -> tuple[float, float]:
    """Its median, and how widely the logarithm is spread, as ``erf`` takes it."""
    median = max(1.0, estimate.q50)
    return median, log(max(1.01, estimate.q90 / median)) / Z90 * SQRT2


def _ended(tokens: float, median: float, scale: float) -> float:
    """From -1, where no call has ended after so many, to 1, where all have."""
    return erf(log(tokens / median) / scale) if tokens > 0 else -1.0


def _given(ended: float, begun: float) -> float:
    return (ended - begun) / (1 - begun) if begun < OUTLIVED else 0.5
