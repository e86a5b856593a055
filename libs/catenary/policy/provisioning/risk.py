"""Capacity where it avoids most misses."""

from __future__ import annotations

from catenary.policy.provisioning.candidates import candidates
from catenary.policy.provisioning.context import PlanContext
from catenary.policy.provisioning.decision import Move, MoveKind, PlanDecision
from catenary.policy.provisioning.misses import MissForecast
from catenary.policy.provisioning.prefetch import prefetches
from catenary.policy.provisioning.worth import LEAST_GAIN, Gain, Situation, Worth

MAX_MOVES = 8
MAX_TOGETHER = 4
GROWTH = (MoveKind.WAKE, MoveKind.START, MoveKind.JOIN)


def risk(context: PlanContext) -> PlanDecision:
    """Rule: of the moves possible now, make the one that lowers predicted misses plus the price of awake replicas most,
    then look again, until none gains more than a fraction of a run. Where none does by itself, up to four replicas are
    tried together, each where the misses fall most: in a chain a second replica of one model is of no use while the
    next model has but one.

    Inputs: the context's outlooks: arrivals and the calls that admitted runs still have to make, with the times at
    which they become ready; each move's time (s). Tie-break: the order of the candidates, by calls there and worker id.
    Trade-off: moves tried together begin with the one that costs least; others might gain more. Source: greedy replica
    placement by SLO attainment of AlpaServe (OSDI 2023), driven by the arrivals downstream of a call as InferLine's
    tuner is by those at its entrance (SoCC 2020).
    """
    worth = Worth(context, MissForecast(context))
    situation = worth.now()
    moves: list[Move] = []
    while len(moves) < MAX_MOVES:
        gains = _best(context, worth, situation) or _together(context, worth, situation)
        if not gains:
            break
        moves += [gain.move for gain in gains]
        situation = gains[-1].then
    moves += prefetches(context, situation.accelerators, moves)
    unmet = _infeasible(context, worth.forecast, situation)
    return PlanDecision(tuple(moves), situation.misses, worth.forecast.horizon_s, unmet)


def _best(context: PlanContext, worth: Worth, situation: Situation) -> list[Gain]:
    """The one move that gains most, if any is worth while."""
    gains = [worth.of(move, situation) for move in candidates(context, situation.accelerators)]
    allowed = [gain for gain in gains if gain.runs > LEAST_GAIN and worth.allows(gain)]
    return [max(allowed, key=lambda gain: gain.runs)] if allowed else []


def _together(context: PlanContext, worth: Worth, situation: Situation) -> list[Gain]:
    """The shortest series of wakes that gains most in all, though the first ones cost more than they avoid."""
    if situation.misses <= LEAST_GAIN:
        return []
    gains: list[Gain] = []
    total, most, found = 0.0, LEAST_GAIN, 0
    for _ in range(MAX_TOGETHER):
        grown = [move for move in candidates(context, situation.accelerators) if move.kind in GROWTH]
        if not grown:
            break
        best = max((worth.of(move, situation) for move in grown), key=lambda gain: gain.runs)
        gains.append(best)
        total += best.runs
        situation = best.then
        if total > most:
            most, found = total, len(gains)
    return gains[:found]


def _infeasible(context: PlanContext, forecast: MissForecast, situation: Situation) -> tuple[tuple[str, str], ...]:
    """Workflows whose target is out of reach with everything awake that the budget allows."""
    capacity = situation.capacity
    awake = sum(len(ready) for ready in capacity.values())
    found = []
    for workflow in context.workflows:
        share = forecast.share(workflow, capacity, situation.slowness) if workflow.rate > 0 else 0.0
        target = 1.0 - context.settings.attainment
        if share > 2 * target and share > 0.05:
            reason = (
                f"{share:.0%} of {workflow.rate:.1f} runs/s would miss with {awake} replicas awake, the best that "
                f"{len(context.accelerators)} accelerators and a budget of {context.settings.budget} allow now; "
                f"the target is {target:.0%}"
            )
            found.append((workflow.workflow, reason))
    return tuple(found)
