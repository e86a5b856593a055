"""A run is admitted when it is likely enough to end in time."""

from __future__ import annotations

from catenary.model.dispatch import PoolState
from catenary.model.outcome import Outcome
from catenary.model.run import Quote
from catenary.policy.admission.decision import AdmissionContext, AdmissionDecision
from catenary.policy.span import Z95, Span, then

UNCONTENDED = 0.1


def feasible(context: AdmissionContext) -> AdmissionDecision:
    """Rule: admit when P(path with the pools' queues <= deadline) reaches ``min_probability``; a tenth of it will do
    where nobody waits for any of the run's models. Calls whose output lengths are not learned yet count with their
    fewest tokens: who is refused for an assumed length never shows the true one. Queued work that need not begin
    before the run's deadline is behind it in the queue and does not count; a quote counts all of it.

    Inputs: the path's span (s), each pool's queue and seats, what of the queue can be deferred. Tie-break: none.
    Trade-off: refusing early saves the work that a hopeless run would spend; refusing wrongly loses a run, and gains
    nothing where seats are free.
    Source: the FMware runtime of Zhang et al.; quotes as in deadline admission of InferLine and QoServe.
    """
    missing = [model for model in context.models if not _served(context.pools.get(model))]
    if missing:
        reason = f"no replica of {', '.join(sorted(missing))} is awake or on its way"
        return AdmissionDecision(Outcome.NO_WORKERS, reason, 0.0, 0.0, Quote(0.0, 0.0))
    longest = {model: wait_s(context.pools[model]) for model in context.models}
    quote = Quote(then(context.path, Span(sum(longest.values()))).at(Z95), 0.95)
    waits = {model: wait_s(context.pools[model], context.deferrable.get(model, 0.0)) for model in context.models}
    path = then(context.path, Span(sum(waits.values())))
    if context.deadline_s is None:
        return AdmissionDecision(None, "no deadline", 1.0, path.median, quote)
    probability = path.probability_within(context.deadline_s)
    contended = any(context.pools[model].is_contended for model in context.models)
    least = context.min_probability if contended else UNCONTENDED * context.min_probability
    hoped = then(context.briefest, Span(sum(waits.values()))) if context.briefest is not None else path
    likely = max(probability, hoped.probability_within(context.deadline_s))
    if not contended and likely < context.others_loss:
        reason = (
            f"predicted {path.median:.2f} s against a deadline of {context.deadline_s:.2f} s (probability "
            f"{probability:.3f}; others would lose more: {context.others_loss:.3f} of them their deadline)"
        )
        return AdmissionDecision(Outcome.REJECTED_INFEASIBLE, reason, probability, path.median, quote)
    if likely >= least:
        return AdmissionDecision(None, "likely in time", probability, path.median, quote)
    queues = ", ".join(f"{model} {wait:.2f} s" for model, wait in sorted(waits.items()) if wait > 0) or "none"
    reason = (
        f"predicted {path.median:.2f} s against a deadline of {context.deadline_s:.2f} s "
        f"(probability {probability:.3f} < {least:.3f}; waits: {queues})"
    )
    return AdmissionDecision(Outcome.REJECTED_INFEASIBLE, reason, probability, path.median, quote)


def wait_s(pool: PoolState, deferrable: float = 0.0) -> float:
    """Seconds a call arriving now waits for a seat: the work that waits already, less the share of it that can be
    deferred, over all seats; before any replica is awake, the time to the first."""
    if pool.num_seats == 0:
        return pool.ready_in_s
    return pool.queued_work_s * (1 - deferrable) / pool.num_seats


def _served(pool: PoolState | None) -> bool:
    return pool is not None and (pool.num_replicas > 0 or pool.num_starting > 0 or pool.num_asleep > 0)
