"""Capacity after the calls that are there."""

from __future__ import annotations

import math
from dataclasses import replace

from catenary.policy.provisioning.candidates import candidates, capacity_of
from catenary.policy.provisioning.context import PlanContext
from catenary.policy.provisioning.decision import Move, MoveKind, PlanDecision
from catenary.policy.provisioning.sharing import moved


def reactive(context: PlanContext) -> PlanDecision:
    """Rule: each model gets ``ceil(calls in engines and queues / target_calls)`` replicas; where the budget is short,
    one of the model with the most to spare is switched.

    Inputs: calls running and queued per pool. Tie-break: the largest lack first, then by model. Trade-off: it acts once
    queues are there, and knows neither deadlines nor what arrives downstream. Source: the request-based autoscalers of
    Ray Serve and KServe.
    """
    accelerators = list(context.accelerators)
    moves: list[Move] = []
    while len(moves) < len(accelerators):
        counts = {model: len(ready) for model, ready in capacity_of(accelerators, context.pools).items()}
        lacks = {model: _wanted(context, model) - count for model, count in counts.items()}
        possible = list(candidates(context, accelerators))
        move = _grow(possible, lacks) or _shrink(possible, lacks)
        if move is None:
            break
        model = move.after or move.before
        pool = context.pools[model]
        reason = f"{pool.num_running + pool.num_queued:.0f} calls of {model} on {counts[model]} replicas"
        moves.append(replace(move, reason=reason))
        accelerators = list(moved(accelerators, move))
    return PlanDecision(tuple(moves))


def _wanted(context: PlanContext, model: str) -> int:
    pool = context.pools[model]
    calls = pool.num_running + pool.num_queued
    wanted = math.ceil(calls / context.settings.target_calls)
    return max(pool.bounds.min_awake, 1 if calls else 0, min(pool.bounds.max_awake, wanted))


def _grow(possible: list[Move], lacks: dict[str, int]) -> Move | None:
    found: list[tuple[int, int, str, Move]] = []
    for move in possible:
        if not move.after or lacks[move.after] <= 0:
            continue
        if move.kind is MoveKind.SWITCH and lacks[move.before] >= 0:
            continue
        order = (MoveKind.WAKE, MoveKind.JOIN, MoveKind.START, MoveKind.SWITCH).index(move.kind)
        found.append((-lacks[move.after], order, move.after, move))
    return min(found, key=lambda entry: entry[:3])[3] if found else None


def _shrink(possible: list[Move], lacks: dict[str, int]) -> Move | None:
    spare = [m for m in possible if m.kind is MoveKind.SLEEP and lacks.get(m.before, 0) < 0]
    return min(spare, key=lambda m: (lacks[m.before], m.before), default=None)
