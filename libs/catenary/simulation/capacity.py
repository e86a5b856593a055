"""Looking for the fewest accelerators that reach a target: a search over replicas per model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Trial:
    """What so many replicas come to. ``attainment`` is 0..1; ``strain`` says by model how many seconds a run loses
    there to queues and to the calls that it shares engines with."""

    attainment: float
    strain: Mapping[str, float]


Replicas = dict[str, int]
Evaluate = Callable[[Mapping[str, int]], Trial]


class Found(NamedTuple):
    """``replicas`` None: not within the accelerators given; ``best`` is what came closest."""

    replicas: Replicas | None
    best: Replicas
    num_trials: int


def search(evaluate: Evaluate, least: Mapping[str, int], costs: Mapping[str, int], target: float, most: int) -> Found:
    """Grow from ``least`` where the strain for each accelerator is worst until ``target`` is reached, then take away
    what is not needed, the dearest first.

    ``costs``: accelerators of one replica by model; ``most`` in all. The result is a local minimum: no single replica
    can go. ``evaluate`` is asked once for each set of replicas.
    """
    known: dict[tuple[tuple[str, int], ...], Trial] = {}

    def trial(replicas: Mapping[str, int]) -> Trial:
        key = tuple(sorted(replicas.items()))
        if key not in known:
            known[key] = evaluate(replicas)
        return known[key]

    replicas = best = dict(least)
    while (now := trial(replicas)).attainment < target:
        if now.attainment > trial(best).attainment:
            best = replicas
        model = max(replicas, key=lambda name: (now.strain.get(name, 0.0) / costs[name], name))
        replicas = {**replicas, model: replicas[model] + 1 + replicas[model] // 8}
        if accelerators(replicas, costs) > most:
            return Found(None, best, len(known))
    replicas = trimmed(replicas, costs, lambda fewer: trial(fewer).attainment >= target)
    return Found(replicas, replicas, len(known))


def accelerators(replicas: Mapping[str, int], costs: Mapping[str, int]) -> int:
    return sum(count * costs[model] for model, count in replicas.items())


def trimmed(replicas: Replicas, costs: Mapping[str, int], suffices: Callable[[Replicas], bool]) -> Replicas:
    """Many at once where there are many, and ever fewer, at last one."""
    for model in sorted(replicas, key=lambda name: (-costs[name], name)):
        step = 1 + replicas[model] // 8
        while step:
            while replicas[model] > step and suffices(fewer := {**replicas, model: replicas[model] - step}):
                replicas = fewer
            step //= 2
    return replicas
