"""What-if: how many replicas of each model keep so many runs in time, judged by simulation."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from catenary.model.compiled import CompiledWorkflow
from catenary.model.outcome import Outcome
from catenary.model.workflow import Limits
from catenary.simulation.capacity import Trial, accelerators, search, trimmed
from catenary.simulation.cluster import Cluster
from catenary.simulation.ends import SubmittedRun
from catenary.simulation.hopeless import Hopeless
from catenary.simulation.parts import true_profiles
from catenary.simulation.report import quantile
from catenary.simulation.scenario import Scenario
from catenary.simulation.sections import Delays, WorkSection
from catenary.simulation.unloaded import alone_s, unloaded
from catenary.simulation.watcher import Watcher
from catenary.simulation.workload import generate_jobs

LIMITS = Limits()
Z95 = 1.96
WARM_UP_S = 20.0
"""Runs that arrive earlier are simulated and not counted: output lengths are still being learned."""
LOOSE = 20.0
SHORT = 1e-9
BUSY = 0.85
"""Share of the time that engines work where a search begins: few targets are kept above, and overload is slow to
simulate."""
SNAPSHOTS_PER_S = 60.0
"""Of all workers together. With many, snapshots would take most of the time of a simulation."""
SLOWEST_SNAPSHOT_S = 1.0


def warmed_up(arrival_s: float) -> bool:
    return arrival_s >= WARM_UP_S


@dataclass(frozen=True, slots=True)
class Stream:
    """The runs of one workflow: how they arrive, and in how many seconds each is due."""

    workflow: CompiledWorkflow
    work: WorkSection
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Target:
    """``attainment`` of the runs that ``counts`` holds for by their arrival (s), 0..1, with at most
    ``max_accelerators``; ``costs``: of one replica by model."""

    attainment: float
    costs: Mapping[str, int]
    max_accelerators: int = 64
    seed: int = 1
    counts: Callable[[float], bool] = warmed_up


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a simulation of so many replicas showed. Times in seconds over the runs that succeeded; ``interval`` is the
    95 % interval of the attainment (Wilson 1927)."""

    replicas: Mapping[str, int]
    runs: int
    attainment: float
    interval: tuple[float, float]
    p50_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """``reached`` False: ``reason`` says why, and ``verdict`` is the best that was found. ``possible_deadline_s``: the
    deadline that could be kept with as many replicas as one likes; 0 where the deadline is not what is in the way."""

    reached: bool
    verdict: Verdict
    num_trials: int
    reason: str = ""
    possible_deadline_s: float = 0.0


class Planner:
    """``base`` gives the models, delays and policies. Every simulation is of the same runs, on replicas that stay."""

    def __init__(self, base: Scenario, streams: Sequence[Stream], target: Target) -> None:
        self._base = base
        self._target = target
        self._profiles = true_profiles(base)
        self._least, self._submitted = self._work(streams)
        counted = [run.job.run_id for run in self._submitted if target.counts(run.job.arrival_s)]
        self._counted = counted or [run.job.run_id for run in self._submitted]
        self._num_trials = 0
        self._known: dict[tuple[tuple[str, int], ...], Cluster] = {}

    def answer(self) -> Answer:
        """Search up to more replicas than could be of use; only where that fails, see whether any number would do."""
        target = self._target
        plenty = {model: min(4 * count + 2, 2 * count + 8) for model, count in self._least.items()}
        most = min(target.max_accelerators, accelerators(plenty, target.costs))
        possible = self._share_alone_in_time() >= target.attainment
        found = search(self._trial, self._least, target.costs, target.attainment, most) if possible else None
        if found is not None and found.replicas is not None:
            return Answer(True, self.verdict(found.replicas), self._num_trials)
        ceiling = self.verdict(plenty)
        if found is None or ceiling.attainment < target.attainment:
            reason = f"{ceiling.attainment:.1%} of the runs are in time however many replicas there are"
            return Answer(False, ceiling, self._num_trials, reason, self._possible_deadline_s(plenty))
        if most < target.max_accelerators:
            replicas = trimmed(plenty, target.costs, lambda r: self._trial(r).attainment >= target.attainment)
            return Answer(True, self.verdict(replicas), self._num_trials)
        reason = f"{target.max_accelerators} accelerators, the bound, are not enough"
        return Answer(False, self.verdict(found.best), self._num_trials, reason)

    def _share_alone_in_time(self) -> float:
        """Part of the runs that would be in time if each had all engines for itself."""
        counted = frozenset(self._counted)
        runs = [run for run in self._submitted if run.job.run_id in counted]
        return sum(run.job.own_latency_s <= (run.deadline_s or math.inf) for run in runs) / max(1, len(runs))

    def verdict(self, replicas: Mapping[str, int]) -> Verdict:
        cluster = self._cluster(replicas)
        counted = self._counted
        met = sum(run_id in cluster.ends.runs and cluster.ends.runs[run_id].met for run_id in counted)
        latencies = self._latencies(cluster)
        return Verdict(
            replicas=dict(replicas),
            runs=len(counted),
            attainment=met / len(counted) if counted else 0.0,
            interval=wilson(met, len(counted)),
            p50_s=quantile(latencies, 0.5),
            p95_s=quantile(latencies, 0.95),
        )

    def _latencies(self, cluster: Cluster) -> list[float]:
        runs = cluster.ends.runs
        counted = (runs[run_id] for run_id in self._counted if run_id in runs)
        return sorted(run.e2e_s for run in counted if run.outcome is Outcome.SUCCEEDED)

    def _trial(self, replicas: Mapping[str, int]) -> Trial:
        """Given up once it is certain to fail: the attainment is then that of the runs that had ended."""
        allowed = (1.0 - self._target.attainment) * len(self._counted)
        watcher = Hopeless(frozenset(self._counted), allowed)
        cluster = self._simulated(replicas, self._submitted, watcher)
        strain = self._strain(cluster)
        if cluster.stopped:
            return Trial(min(1 - watcher.missed_runs / watcher.ended_runs, self._target.attainment - SHORT), strain)
        self._known[_key(replicas)] = cluster
        return Trial(self.verdict(replicas).attainment, strain)

    def _cluster(self, replicas: Mapping[str, int]) -> Cluster:
        key = _key(replicas)
        if key not in self._known:
            self._known[key] = self._simulated(replicas, self._submitted)
        return self._known[key]

    def _simulated(
        self, replicas: Mapping[str, int], submitted: Sequence[SubmittedRun], watcher: Watcher | None = None
    ) -> Cluster:
        self._num_trials += 1
        delays = _delays(self._base.delays, replicas)
        changes = {"replicas": dict(replicas), "accelerators": 0, "faults": [], "delays": delays}
        scenario = self._base.model_copy(update=changes)
        cluster = Cluster(scenario, None, submitted, watcher)
        cluster.run()
        return cluster

    def _possible_deadline_s(self, plenty: Mapping[str, int]) -> float:
        """What so many of the runs take where nobody is in a hurry, rounded up to 0.1 s."""
        loose = [replace(run, deadline_s=LOOSE * (run.deadline_s or 1.0)) for run in self._submitted]
        latencies = self._latencies(self._simulated(plenty, loose))
        return math.ceil(10 * quantile(latencies, self._target.attainment)) / 10

    def _work(self, streams: Sequence[Stream]) -> tuple[dict[str, int], list[SubmittedRun]]:
        """The replicas that would do at the busiest time with engines ``BUSY`` of it, and the runs by arrival."""
        seconds: dict[str, float] = defaultdict(float)
        submitted = []
        for number, stream in enumerate(streams):
            items = {
                c.call.name: c.call.max_items or LIMITS.max_items for c in stream.workflow.calls if c.call.for_each
            }
            jobs = generate_jobs(stream.work, items, self._target.seed + number)
            busy_s = _busy_s(stream.work)
            for job in jobs:
                alone = unloaded(job, stream.workflow, self._profiles, LIMITS)
                for model, work_s in alone.work_s.items():
                    seconds[model] += work_s / busy_s
                named = replace(job, run_id=f"{number}-{job.run_id}", own_latency_s=alone.latency_s)
                submitted.append(SubmittedRun(named, stream.deadline_s, stream.workflow))
        submitted.sort(key=lambda run: (run.job.arrival_s, run.job.run_id))
        return {model: max(1, math.ceil(share / BUSY)) for model, share in sorted(seconds.items())}, submitted

    def _strain(self, cluster: Cluster) -> dict[str, float]:
        """Seconds that a run loses at each model: all that its calls take beyond what they take alone."""
        lost: dict[str, float] = defaultdict(float)
        runs = cluster.ends.runs.values()
        for run in runs:
            for call in run.calls:
                if call.outcome is Outcome.SUCCEEDED:
                    alone = alone_s(self._profiles[call.model], call.prompt_tokens, call.output_tokens)
                    lost[call.model] += max(0.0, call.duration_s - alone) / len(runs)
        return lost


def _delays(delays: Delays, replicas: Mapping[str, int]) -> Delays:
    """A worker's snapshots come no faster than its share of ``SNAPSHOTS_PER_S``, but at least once a second."""
    fair_s = min(SLOWEST_SNAPSHOT_S, sum(replicas.values()) / SNAPSHOTS_PER_S)
    return delays.model_copy(update={"snapshot_interval_s": max(delays.snapshot_interval_s, fair_s)})


def _key(replicas: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(replicas.items()))


def wilson(good: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); (0, 1) where nothing was counted."""
    if not count:
        return 0.0, 1.0
    share, square = good / count, Z95 * Z95 / count
    middle = (share + square / 2) / (1 + square)
    half = Z95 * math.sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def _busy_s(work: WorkSection) -> float:
    """Seconds in which all runs would arrive if they did as fast as in the busiest phase."""
    return sum(phase.duration_s * phase.load for phase in work.phases) / max(phase.load for phase in work.phases)
