"""What the simulator says for the same runs on the same engines, after the same warm-up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.measure import SETTLE_S
from bench.systems import MAX_REPLICAS, ON_SPLIT, PLANNED, SIMULATED, SPLITS, num_accelerators
from bench.work import Work, warm_up
from catenary.model.run import Run
from catenary.simulation.cluster import Cluster
from catenary.simulation.ends import SubmittedRun
from catenary.simulation.presets import PRESETS, UNBOUNDED_LOOKAHEAD
from catenary.simulation.scenario import Scenario, parse_scenario
from catenary.simulation.simulate import prepare


def simulated_missed(system: str, work: Work) -> float | None:
    """Share of the runs; None where the simulator has no such system."""
    preset = SIMULATED.get(system)
    if preset is None:
        return None
    replicas = work.scenario.replicas
    if system in ON_SPLIT:
        replicas = dict(SPLITS.get(str(work.workflow["name"]), replicas))
    if system == "ray_all_up":
        replicas = dict.fromkeys(replicas, MAX_REPLICAS)
    changes: dict[str, Any] = _slack_alone(work) if system == "ray_slack" else {}
    if system in PLANNED:
        changes = {"accelerators": num_accelerators(system, work), "provisioner": PLANNED[system]}
    return _missed(work, preset, replicas, changes)


def _slack_alone(work: Work) -> dict[str, Any]:
    """The routing rule by itself: calls go to an engine at once, the earliest latest start first in its queue."""
    models = work.scenario.model_dump()["models"]
    return {
        "gateway": {"admission": "none", "shed_lost": False, "shed_crowded": False},
        "router": {"shed_lost": False, "triage": False},
        "models": {name: {**section, "lookahead": UNBOUNDED_LOOKAHEAD} for name, section in models.items()},
    }


def best_splits(work: Work, preset: str = "fcfs") -> list[tuple[float, Mapping[str, int]]]:
    """(share missed, replicas by model) for each way to split the scenario's accelerators, the best first."""
    models = list(work.scenario.models)
    total = sum(work.scenario.replicas.values())
    found = [(_missed(work, preset, split, {}), split) for split in _splits(models, total)]
    return sorted(found, key=lambda one: (one[0], list(one[1].values())))


def warmed(work: Work, runs: Sequence[SubmittedRun]) -> tuple[list[SubmittedRun], list[SubmittedRun]]:
    """The runs of the warm-up and those that count, as ``measure`` offers them one after the other."""
    first = []
    for place, one in enumerate(warm_up(work)):
        run = runs[one.number]
        job = replace(run.job, run_id=f"warm-up-{place}", arrival_s=one.at_s, tenant=one.tenant)
        first.append(replace(run, job=job))
    begin_s = max((run.job.arrival_s + run.job.own_latency_s for run in first), default=0.0) + SETTLE_S
    counted = []
    for run, one in zip(runs, work.arrivals, strict=True):
        counted.append(replace(run, job=replace(run.job, arrival_s=begin_s + one.at_s, tenant=one.tenant)))
    return first, counted


def warmed_runs(work: Work, scenario: Scenario) -> list[Run | None]:
    """How the runs that count ended under ``scenario``, in order of arrival; None: refused."""
    cold, _ = prepare(scenario, work.seed, work.trace)
    first, counted = warmed(work, cold.submitted)
    workflow = next(iter(cold.workflows.values()), None)
    ends = Cluster(scenario, workflow, [*first, *counted]).run()
    return [ends.runs.get(run.job.run_id) for run in counted]


def _missed(work: Work, preset: str, replicas: Mapping[str, int], changes: Mapping[str, Any]) -> float:
    data = PRESETS[preset]({**work.scenario.model_dump(), "replicas": dict(replicas), **changes})
    runs = warmed_runs(work, parse_scenario(data))
    met = sum(run is not None and run.met for run in runs)
    return round(1 - met / max(1, len(runs)), 6)


def _splits(models: Sequence[str], total: int) -> Iterator[dict[str, int]]:
    first, *rest = models
    if not rest:
        yield {first: total}
        return
    for count in range(1, total - len(rest) + 1):
        for others in _splits(rest, total - count):
            yield {first: count, **others}
