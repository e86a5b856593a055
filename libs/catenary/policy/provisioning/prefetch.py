"""Weights that are read from disk ahead of a load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from catenary.policy.provisioning.candidates import after, candidates, capacity_of, fetch_s
from catenary.policy.provisioning.context import Accelerator, PlanContext
from catenary.policy.provisioning.decision import Move, MoveKind
from catenary.policy.provisioning.misses import MissForecast
from catenary.policy.provisioning.worth import LEAST_GAIN

BURST = 2.0
"""Times the arrivals of now: what a jump of load is taken to be."""


def prefetches(context: PlanContext, accelerators: Sequence[Accelerator], moves: Sequence[Move]) -> tuple[Move, ...]:
    """Rule: cold weights are read where a model is about to go to (a switch waits for its hysteresis, or for calls to
    end), and where one more replica of it would avoid misses in a burst, and fewer if it had to read them first.

    Inputs: ``accelerators`` as they are once ``moves`` are under way; times of loads and reads (s). Tie-break: one
    accelerator per model, the one that the plan would load it on, and one model at a time on each, the one that gains
    most. Trade-off: a read costs disk bandwidth and page cache but no accelerator, so that it needs no price; one
    replica per model is foreseen, not several. Source: prefetching by predicted need, as ServerlessLLM's loading by
    locality of checkpoints (OSDI 2024) with the forecast of this planner.
    """
    if not context.settings.prefetch or not any(a.cold - a.fetched for a in context.accelerators):
        return ()
    places = {a.worker_id: a for a in context.accelerators}
    switches = [move for move in moves if move.kind is MoveKind.SWITCH and _reads(places[move.worker_id], move)]
    due = [_due(context, places[move.worker_id], move) for move in switches]
    found: dict[str, Move] = {move.worker_id: move for move in due if move.takes_s > 0}
    for move in sorted(_foreseen(context, accelerators), key=lambda move: (-move.misses_avoided, move.worker_id)):
        found.setdefault(move.worker_id, move)
    return tuple(found.values())


def _reads(accelerator: Accelerator, move: Move) -> bool:
    """The move loads cold weights that nobody has begun to read."""
    return move.after in accelerator.cold and move.after not in accelerator.fetched


def _due(context: PlanContext, accelerator: Accelerator, move: Move) -> Move:
    reads_s = fetch_s(context, accelerator, move.after)
    reason = f"is to wake here, and reading its weights takes {reads_s:.1f} s"
    return Move(MoveKind.PREFETCH, move.worker_id, "", move.after, takes_s=reads_s, reason=reason)


def _foreseen(context: PlanContext, accelerators: Sequence[Accelerator]) -> Iterator[Move]:
    """By model, what reading its weights now would avoid in a burst."""
    burst = _burst(context)
    forecast = MissForecast(burst)
    capacity = capacity_of(accelerators, burst.pools)
    misses = forecast.misses(capacity)
    places = {a.worker_id: a for a in accelerators}
    best: dict[str, tuple[float, Move]] = {}
    for move in candidates(burst, [_still(accelerator) for accelerator in accelerators]):
        if move.after:
            with_it = forecast.misses(after(capacity, _warm(burst, places[move.worker_id], move)))
            if move.after not in best or with_it < best[move.after][0]:
                best[move.after] = with_it, move
    for model, (warm_misses, move) in best.items():
        place = places[move.worker_id]
        avoided = forecast.misses(after(capacity, move)) - warm_misses
        if _reads(place, move) and misses - warm_misses > LEAST_GAIN and avoided > LEAST_GAIN:
            warm_s = _warm(burst, place, move).takes_s
            reason = (
                f"with {BURST:g} times the arrivals one more replica would miss {avoided:.1f} fewer with its weights "
                f"at hand, ready in {warm_s:.1f} s, not {move.takes_s:.1f} s"
            )
            yield Move(
                MoveKind.PREFETCH, move.worker_id, "", model, avoided, fetch_s(burst, place, model), reason=reason
            )


def _still(accelerator: Accelerator) -> Accelerator:
    """Where weights are being read, those of another model would only slow that down."""
    return replace(accelerator, movable=False) if accelerator.cold & accelerator.fetched else accelerator


def _warm(context: PlanContext, accelerator: Accelerator, move: Move) -> Move:
    """The move as it would be with the weights at hand."""
    return replace(move, takes_s=move.takes_s - fetch_s(context, accelerator, move.after))


def _burst(context: PlanContext) -> PlanContext:
    pools = {name: replace(pool, rate=BURST * pool.rate) for name, pool in context.pools.items()}
    workflows = tuple(replace(workflow, rate=BURST * workflow.rate) for workflow in context.workflows)
    return replace(context, pools=pools, workflows=workflows)
