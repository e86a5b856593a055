"""Engines awake together on one accelerator: which fit beside each other, and how they slow each other down."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from catenary.policy.prediction import duration_s
from catenary.policy.provisioning.context import Accelerator, PoolOutlook
from catenary.policy.provisioning.decision import Move

UNMEASURED_LOSS = 1.0
"""Where a profile has no ``sharing_loss``: two busy engines take turns and gain nothing. Llama shapes of one to eight
billion parameters lost 0.9 to 1.4 of their step beside each other on an H100."""


def fits(accelerator: Accelerator, models: Iterable[str]) -> bool:
    """Whether the models can be awake there together. What is not known does not fit."""
    needs = [accelerator.needs.get(model, 0) for model in models]
    return all(needs) and sum(needs) <= accelerator.memory_bytes


def moved(accelerators: Sequence[Accelerator], move: Move) -> tuple[Accelerator, ...]:
    """The accelerators once ``move`` is under way; nothing else is begun where it is."""
    return tuple(_after(a, move) if a.worker_id == move.worker_id else a for a in accelerators)


def _after(accelerator: Accelerator, move: Move) -> Accelerator:
    engines = [(model, ready_in_s) for model, ready_in_s in accelerator.engines if model != move.before]
    if move.after:
        engines.append((move.after, move.takes_s))
    (awake, ready_in_s), *beside = engines or [("", move.takes_s)]
    return replace(accelerator, awake=awake, ready_in_s=ready_in_s, beside=dict(beside), movable=False, still_s=0.0)


def slowness(pools: Mapping[str, PoolOutlook], accelerators: Iterable[Accelerator]) -> dict[str, float]:
    """By model, how many times as long its replicas take in the mean as if each had its accelerator alone; models of
    which no replica shares one are left out.

    Rule: an engine takes ``1 + loss`` for each other one awake beside it, times the chance that the other is busy:
    with as many calls on it as its pool has per replica, Poisson distributed. Trade-off: losses of different neighbours
    are added up. Source: docs/benchmarks-gpu.md, where the losses of three pairs added up predict three busy engines on
    an H100 within a twentieth.
    """
    shared = [a for a in accelerators if a.awake]
    if not any(a.beside for a in shared):
        return {}
    counts: dict[str, int] = {}
    for accelerator in shared:
        for model, _ in accelerator.engines:
            counts[model] = counts.get(model, 0) + 1
    busy = {model: _busy(pools[model], count) for model, count in counts.items() if model in pools}
    speeds: dict[str, float] = {}
    affected = set()
    for accelerator in shared:
        models = [model for model, _ in accelerator.engines if model in pools]
        for model in models:
            loss = pools[model].profile.sharing_loss or UNMEASURED_LOSS
            speeds[model] = speeds.get(model, 0.0) + 1.0 / (1.0 + loss * (sum(busy[m] for m in models) - busy[model]))
        if len(models) > 1:
            affected.update(models)
    return {model: counts[model] / speeds[model] for model in sorted(affected)}


def _busy(pool: PoolOutlook, num_replicas: int) -> float:
    """The chance that a replica has a call."""
    traffic = pool.traffic
    one_s = duration_s(pool.profile, traffic.mean_prompt, traffic.mean_output, 1, traffic)
    calls = max(pool.num_running, pool.rate * one_s)
    return 1.0 - math.exp(-calls / num_replicas)
