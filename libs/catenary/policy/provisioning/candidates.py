"""The moves that are possible now, and which accelerator each is best done on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from catenary.policy.provisioning.context import Accelerator, PlanContext
from catenary.policy.provisioning.decision import Move, MoveKind
from catenary.policy.provisioning.misses import Capacity
from catenary.policy.provisioning.parting import parting
from catenary.policy.provisioning.sharing import fits


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
    possible = [(a, move) for a in accelerators if a.movable for move in _moves(context, accelerators, a)]
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


def _moves(context: PlanContext, accelerators: Sequence[Accelerator], accelerator: Accelerator) -> Iterator[Move]:
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
                    yield _switch(context, accelerators, accelerator, (before, model), others)


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


def _switch(
    context: PlanContext,
    accelerators: Sequence[Accelerator],
    accelerator: Accelerator,
    names: tuple[str, str],
    beside: tuple[str, ...],
) -> Move:
    """``accelerators``: as they are once the moves before this one are under way."""
    before, model = names
    bare_s = context.pools[before].times.sleep_s + _wake_s(context, accelerator, model)
    mode, takes_s = parting(context.pools[before], accelerator, accelerators, bare_s)
    return Move(MoveKind.SWITCH, accelerator.worker_id, before, model, takes_s=takes_s, mode=mode, beside=beside)


def _least(context: PlanContext, model: str) -> int:
    pool = context.pools.get(model)
    return pool.bounds.min_awake if pool is not None else 0
