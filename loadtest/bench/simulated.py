"""What the simulator says for the same runs on the same engines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.catenary_system import SLEEP_S, WAKE_S
from bench.systems import ON_SPLIT, PLANNED, SIMULATED, SPLITS, num_accelerators
from bench.work import Work
from catenary.simulation.presets import PRESETS
from catenary.simulation.report import Report
from catenary.simulation.scenario import parse_scenario
from catenary.simulation.simulate import simulate


def simulated_missed(system: str, work: Work) -> float | None:
    """Share of the runs; None where the simulator has no such system."""
    preset = SIMULATED.get(system)
    if preset is None:
        return None
    replicas = work.scenario.replicas
    if system in ON_SPLIT:
        replicas = dict(SPLITS.get(str(work.workflow["name"]), replicas))
    changes: dict[str, Any] = {}
    if system in PLANNED:
        accelerators = num_accelerators(system, work)
        changes = {"accelerators": accelerators, "provisioner": PLANNED[system], "sleep_s": SLEEP_S, "wake_s": WAKE_S}
    return _report(work, preset, replicas, changes).missed


def best_splits(work: Work, preset: str = "fcfs") -> list[tuple[float, Mapping[str, int]]]:
    """(share missed, replicas by model) for each way to split the scenario's accelerators, the best first."""
    models = list(work.scenario.models)
    total = sum(work.scenario.replicas.values())
    found = [(_report(work, preset, split, {}).missed, split) for split in _splits(models, total)]
    return sorted(found, key=lambda one: (one[0], list(one[1].values())))


def _report(work: Work, preset: str, replicas: Mapping[str, int], changes: Mapping[str, Any]) -> Report:
    data = PRESETS[preset]({**work.scenario.model_dump(), "replicas": dict(replicas), **changes})
    return simulate(parse_scenario(data), preset, work.seed, work.trace)[0]


def _splits(models: Sequence[str], total: int) -> Iterator[dict[str, int]]:
    first, *rest = models
    if not rest:
        yield {first: total}
        return
    for count in range(1, total - len(rest) + 1):
        for others in _splits(rest, total - count):
            yield {first: count, **others}
