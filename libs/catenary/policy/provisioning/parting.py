"""What becomes of the running calls of an engine that goes to sleep for another model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from catenary.model.worker import SleepMode
from catenary.policy.prediction import duration_s
from catenary.policy.provisioning.context import Accelerator, PlanContext, PoolOutlook
from catenary.policy.provisioning.decision import Move, MoveKind
from catenary.policy.provisioning.sharing import moved

DRAIN_PATIENCE = 2.0
"""Running calls that nobody else can take over may hold a switch up for so many times what it takes by itself."""


def parting(
    pool: PoolOutlook, accelerator: Accelerator, accelerators: Iterable[Accelerator], bare_s: float
) -> tuple[SleepMode, float]:
    """How ``pool``'s calls part from ``accelerator``, and what a switch takes with them: ``bare_s`` without any.

    Rule: they go on elsewhere where that costs engines less than waiting for their ends; where nobody else is awake
    they finish first if that is quick, or are frozen here. ``accelerators``: as they will be when the switch begins.
    """
    end_s = drain_s(pool) if accelerator.num_calls else 0.0
    others = _awake_elsewhere(pool.model, accelerator.worker_id, accelerators)
    if others and replay_s(pool, accelerator.num_calls) < end_s:
        return SleepMode.REPLAY, bare_s
    if others or end_s <= DRAIN_PATIENCE * bare_s:
        return SleepMode.DRAIN, bare_s + end_s
    return SleepMode.FREEZE, bare_s


def rehomed(context: PlanContext, moves: Sequence[Move]) -> list[Move]:
    """``moves``, which begin together, without a switch whose calls would go on where another move takes the model
    away: they part as if nobody else were awake."""
    then = context.accelerators
    for move in moves:
        then = moved(then, move) if move.kind not in (MoveKind.PREFETCH, MoveKind.RELEASE) else then
    return [_rehomed(context, move, then) if move.mode is SleepMode.REPLAY else move for move in moves]


def _rehomed(context: PlanContext, move: Move, then: Sequence[Accelerator]) -> Move:
    """``move`` whose calls would be replayed, and ``then`` what is awake once all have begun."""
    if _awake_elsewhere(move.before, move.worker_id, then):
        return move
    accelerator = next(a for a in context.accelerators if a.worker_id == move.worker_id)
    mode, takes_s = parting(context.pools[move.before], accelerator, then, move.takes_s)
    return replace(move, mode=mode, takes_s=takes_s)


def _awake_elsewhere(model: str, worker_id: str, accelerators: Iterable[Accelerator]) -> bool:
    return any(model in (a.awake, *a.beside) for a in accelerators if a.worker_id != worker_id)


def drain_s(pool: PoolOutlook) -> float:
    """Until the calls of a replica have ended: about one call's duration at half a batch."""
    traffic = pool.traffic
    half = pool.profile.max_num_seqs / 2
    return duration_s(pool.profile, traffic.mean_prompt, traffic.mean_output, half, traffic)


def replay_s(pool: PoolOutlook, num_calls: int) -> float:
    """What so many calls cost other engines that take them over half done: prompts and tokens so far computed again."""
    return num_calls * pool.profile.prefill_s(pool.traffic.mean_prompt + pool.traffic.mean_output / 2)
