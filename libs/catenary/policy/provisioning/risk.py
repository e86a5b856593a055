"""Capacity where it avoids most misses."""

from __future__ import annotations

from dataclasses import replace

from catenary.policy.provisioning.candidates import after, candidates, capacity_of
from catenary.policy.provisioning.context import Accelerator, PlanContext
from catenary.policy.provisioning.decision import Move, MoveKind, PlanDecision
from catenary.policy.provisioning.misses import STRANDED_WEIGHT, Capacity, MissForecast

MAX_MOVES = 8
LEAST_GAIN = 0.2
SWITCH_SHARE = 0.02


def risk(context: PlanContext) -> PlanDecision:
    """Rule: of the moves possible now, make the one that lowers predicted misses plus the price of awake replicas most,
    then look again, until none gains more than a fraction of a run.

    Inputs: the context's outlooks: arrivals and the calls that admitted runs still have to make, with the times at
    which they become ready; each move's time (s). Tie-break: the order of the candidates, by calls there and worker id.
    Trade-off: one move at a time misses what only two together gain. Source: greedy replica placement by SLO attainment
    of AlpaServe (OSDI 2023), driven by the arrivals downstream of a call as InferLine's tuner is by those at its
    entrance (SoCC 2020).
    """
    forecast = MissForecast(context)
    accelerators = list(context.accelerators)
    capacity: Capacity = capacity_of(accelerators, context.pools)
    as_is = misses = forecast.misses(capacity)
    moves: list[Move] = []
    while len(moves) < MAX_MOVES:
        best = _best(context, forecast, accelerators, capacity, misses)
        if best is None:
            break
        move, capacity, misses = best
        moves.append(move)
        accelerators = [_moved(a, move) if a.worker_id == move.worker_id else a for a in accelerators]
    return PlanDecision(tuple(moves), misses, as_is, forecast.horizon_s, _infeasible(context, forecast, capacity))


def _best(
    context: PlanContext, forecast: MissForecast, accelerators: list[Accelerator], capacity: Capacity, misses: float
) -> tuple[Move, Capacity, float] | None:
    best: tuple[Move, Capacity, float] | None = None
    most = LEAST_GAIN
    for move in candidates(context, accelerators):
        changed = after(capacity, move)
        then = forecast.misses(changed)
        replicas = bool(move.before) - bool(move.after)
        gain = misses - then + replicas * context.settings.replica_price * forecast.horizon_s
        if move.kind is MoveKind.SLEEP and not _may_sleep(context, forecast, then):
            continue
        gain += _owed(context, capacity, move) + STRANDED_WEIGHT * _thawed(accelerators, move)
        if gain > most and (move.kind is not MoveKind.SWITCH or gain > _switch_gain(context, forecast)):
            most = gain
            best = (replace(move, misses_avoided=misses - then, reason=_reason(misses, then, forecast)), changed, then)
    return best


def _may_sleep(context: PlanContext, forecast: MissForecast, misses: float) -> bool:
    """Capacity is given back only where it costs something, and where the target is kept without it."""
    runs = sum(workflow.rate for workflow in context.workflows) * forecast.horizon_s
    return context.settings.replica_price > 0 and misses <= (1.0 - context.settings.attainment) * runs


def _switch_gain(context: PlanContext, forecast: MissForecast) -> float:
    """A switch must avoid more than a fiftieth of the runs: its benefit is a prediction, its cost is certain."""
    return max(1.0, SWITCH_SHARE * sum(w.rate for w in context.workflows) * forecast.horizon_s)


def _owed(context: PlanContext, capacity: Capacity, move: Move) -> float:
    """A model below its bound comes first."""
    if move.after and len(capacity[move.after]) < context.pools[move.after].bounds.min_awake:
        return 1e6
    return 0.0


def _thawed(accelerators: list[Accelerator], move: Move) -> int:
    """Frozen calls go on only where they were frozen, however many other replicas of their model are awake."""
    return sum(a.frozen.get(move.after, 0) for a in accelerators if a.worker_id == move.worker_id)


def _reason(misses: float, then: float, forecast: MissForecast) -> str:
    return f"predicted misses {misses:.1f} -> {then:.1f} in {forecast.horizon_s:.0f} s"


def _moved(accelerator: Accelerator, move: Move) -> Accelerator:
    return replace(accelerator, awake=move.after, ready_in_s=move.takes_s, movable=False, still_s=0.0)


def _infeasible(context: PlanContext, forecast: MissForecast, capacity: Capacity) -> tuple[tuple[str, str], ...]:
    """Workflows whose target is out of reach with everything awake that the budget allows."""
    awake = sum(len(ready) for ready in capacity.values())
    found = []
    for workflow in context.workflows:
        share = forecast.share(workflow, capacity) if workflow.rate > 0 else 0.0
        target = 1.0 - context.settings.attainment
        if share > 2 * target and share > 0.05:
            reason = (
                f"{share:.0%} of {workflow.rate:.1f} runs/s would miss with {awake} replicas awake, the best that "
                f"{len(context.accelerators)} accelerators and a budget of {context.settings.budget} allow now; "
                f"the target is {target:.0%}"
            )
            found.append((workflow.workflow, reason))
    return tuple(found)
