"""The moves that are possible now, and which accelerator each is best done on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from catenary.model.worker import SleepMode
from catenary.policy.prediction import duration_s
from catenary.policy.provisioning.context import Accelerator, PlanContext, PoolOutlook
from catenary.policy.provisioning.decision import Move, MoveKind
from catenary.policy.provisioning.misses import Capacity
from catenary.policy.provisioning.sharing import fits

DRAIN_PATIENCE = 2.0
"""Running calls that nobody else can take over may hold a switch up for so many times what it takes by itself."""


def capacity_of(accelerators: Iterable[Accelerator], models: Iterable[str]) -> dict[str, tuple[float, ...]]:
    """By model, when each of its replicas takes calls."""
    ready: dict[str, list[float]] = {model: [] for model in models}
    for accelerator in accelerators:
        for model, ready_in_s in accelerator.engines:
            if model in ready:
                ready[model].append(ready_in_s)
    return {model: tuple(sorted(times)) for model, times in ready.items()}


def after(capacity: Capacity, move: Move) -> dict[str, tuple[float, ...]]:
    """The capacity once ``move`` is under way. What goes to sleep takes no calls from now on."""
    changed = dict(capacity)
    if move.before in changed:
        changed[move.before] = changed[move.before][1:]
    if move.after in changed:
        changed[move.after] = tuple(sorted((*changed[move.after], move.takes_s)))
    return changed


def candidates(context: PlanContext, accelerators: Sequence[Accelerator]) -> Iterator[Move]:
    """One move of each kind and neighbourhood: where it wakes most frozen calls, then where the weights are at hand,
    then where fewest calls run, then by worker id."""
    seen: set[tuple[object, ...]] = set()
    awake = sum(accelerator.size for accelerator in accelerators if accelerator.awake)
    counts = {name: len(ready) for name, ready in capacity_of(accelerators, context.pools).items()}
    possible = [(a, move) for a in accelerators if a.movable for move in _moves(context, a)]
    possible.sort(key=lambda pair: _rank(*pair))
    for accelerator, move in possible:
        if (move.key, move.beside) in seen:
            continue
        if move.after and counts[move.after] >= context.pools[move.after].bounds.max_awake:
            continue
        if move.before and counts.get(move.before, 1) <= _least(context, move.before):
            continue
        if not accelerator.awake and awake + accelerator.size > context.settings.budget:
            continue
        seen.add((move.key, move.beside))
        yield move


def _rank(accelerator: Accelerator, move: Move) -> tuple[int, bool, bool, int, str]:
    frozen, dropped = accelerator.frozen.get(move.after, 0), move.after in accelerator.dropped
    return -frozen, dropped, move.after in accelerator.cold, accelerator.num_calls, accelerator.worker_id


def _moves(context: PlanContext, accelerator: Accelerator) -> Iterator[Move]:
    name, awake = accelerator.worker_id, accelerator.awake
    if not awake:
        for model in accelerator.asleep:
            if model in context.pools:
                yield Move(MoveKind.WAKE, name, "", model, takes_s=_wake_s(context, accelerator, model))
        for model in accelerator.startable:
            if model in context.pools and not accelerator.asleep:
                takes_s = context.pools[model].times.start_s + fetch_s(context, accelerator, model)
                yield Move(MoveKind.START, name, "", model, takes_s=takes_s)
        return
    if any(ready_in_s > 0 for _, ready_in_s in accelerator.engines):
        return
    models = tuple(model for model, _ in accelerator.engines)
    for model in models:
        undo_s = context.pools[model].times.wake_s if model in context.pools else 0.0
        yield Move(MoveKind.SLEEP, name, model, "", undo_s=undo_s, beside=_without(models, model))
    if len(models) < context.settings.awake_together:
        for model in accelerator.asleep:
            if model in context.pools and fits(accelerator, (*models, model)):
                wake_s = _wake_s(context, accelerator, model)
                yield Move(MoveKind.JOIN, name, "", model, takes_s=wake_s, beside=models)
    if accelerator.still_s < context.settings.dwell_s:
        return
    for before in models:
        for model in accelerator.asleep:
            if model in context.pools and before in context.pools and (before, model) not in context.barred:
                others = _without(models, before)
                if not others or fits(accelerator, (*others, model)):
                    yield _switch(context, accelerator, before, model, others)


def _wake_s(context: PlanContext, accelerator: Accelerator, model: str) -> float:
    times = context.pools[model].times
    if model not in accelerator.dropped:
        return times.wake_s
    return times.reload_s + fetch_s(context, accelerator, model)


def fetch_s(context: PlanContext, accelerator: Accelerator, model: str) -> float:
    """What reading the model's weights from disk adds to a load there."""
    return context.pools[model].times.prefetch_s if model in accelerator.cold else 0.0


def _without(models: tuple[str, ...], model: str) -> tuple[str, ...]:
    return tuple(other for other in models if other != model)


def _switch(context: PlanContext, accelerator: Accelerator, name: str, model: str, beside: tuple[str, ...]) -> Move:
    """Running calls go on elsewhere where that costs engines less than waiting for their ends; where nobody else is
    awake they finish first if that is quick, or are frozen here."""
    before = context.pools[name]
    takes_s = before.times.sleep_s + _wake_s(context, accelerator, model)
    end_s = drain_s(before) if accelerator.num_calls else 0.0
    others = any(before.model in (a.awake, *a.beside) for a in context.accelerators if a is not accelerator)
    if others and replay_s(before, accelerator.num_calls) < end_s:
        mode = SleepMode.REPLAY
    elif others or end_s <= DRAIN_PATIENCE * takes_s:
        mode, takes_s = SleepMode.DRAIN, takes_s + end_s
    else:
        mode = SleepMode.FREEZE
    worker_id = accelerator.worker_id
    return Move(MoveKind.SWITCH, worker_id, before.model, model, takes_s=takes_s, mode=mode, beside=beside)


def drain_s(pool: PoolOutlook) -> float:
    """Until the calls of a replica have ended: about one call's duration at half a batch."""
    traffic = pool.traffic
    half = pool.profile.max_num_seqs / 2
    return duration_s(pool.profile, traffic.mean_prompt, traffic.mean_output, half, traffic)


def replay_s(pool: PoolOutlook, num_calls: int) -> float:
    """What so many calls cost other engines that take them over half done: prompts and tokens so far computed again."""
    return num_calls * pool.profile.prefill_s(pool.traffic.mean_prompt + pool.traffic.mean_output / 2)


def _least(context: PlanContext, model: str) -> int:
    pool = context.pools.get(model)
    return pool.bounds.min_awake if pool is not None else 0
