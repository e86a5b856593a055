"""What a simulated scenario came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from catenary.model.outcome import Outcome
from catenary.simulation.cluster import Cluster
from catenary.simulation.ends import SubmittedRun


@dataclass(frozen=True, slots=True)
class Report:
    """Shares are 0..1 of all runs. ``missed`` counts refused and unfinished runs too; ``p50_s`` and ``p99_s`` are over
    runs that succeeded, in time or late; ``missed_longest_decile`` over the tenth of the runs with the longest unloaded
    latency; ``accelerator_seconds`` what is held, awake or not, until the last run has ended."""

    scenario: str
    trace: str | None
    policy: str
    runs: int
    missed: float
    refused: float
    goodput_per_s: float
    p50_s: float
    p99_s: float
    replica_seconds: float
    accelerator_seconds: float
    missed_longest_decile: float
    switches: int = 0
    duration_s: float = 0.0


def summarize(scenario: str, trace: str | None, policy: str, cluster: Cluster, arrivals_s: float) -> Report:
    """``arrivals_s``: for how long runs arrived."""
    ends, submitted = cluster.ends, cluster.submitted
    met = {run_id for run_id, run in ends.runs.items() if run.met}
    latencies = sorted(run.e2e_s for run in ends.runs.values() if run.outcome is Outcome.SUCCEEDED)
    count = len(submitted)
    return Report(
        scenario=scenario,
        trace=trace,
        policy=policy,
        runs=count,
        missed=_missed(submitted, met),
        refused=round(len(ends.refusals) / count, 6) if count else 0.0,
        goodput_per_s=round(len(met) / arrivals_s, 4) if arrivals_s else 0.0,
        p50_s=quantile(latencies, 0.5),
        p99_s=quantile(latencies, 0.99),
        replica_seconds=round(sum(worker.replica_seconds() for worker in cluster.workers.values()), 3),
        accelerator_seconds=round(len(cluster.workers) * cluster.heap.now, 3),
        missed_longest_decile=_missed(_longest(submitted), met),
        switches=cluster.provisioner.allocator.num_switches if cluster.provisioner is not None else 0,
        duration_s=round(cluster.heap.now, 3),
    )


def quantile(ordered: Sequence[float], q: float) -> float:
    """The q quantile of ordered values in seconds, 0 where there are none."""
    if not ordered:
        return 0.0
    return round(ordered[min(len(ordered) - 1, int(q * len(ordered)))], 4)


def _missed(runs: Sequence[SubmittedRun], met: set[str]) -> float:
    if not runs:
        return 0.0
    return round(1 - sum(run.job.run_id in met for run in runs) / len(runs), 6)


def _longest(submitted: Sequence[SubmittedRun]) -> list[SubmittedRun]:
    ordered = sorted(submitted, key=lambda run: (-run.job.own_latency_s, run.job.run_id))
    return ordered[: max(1, round(len(ordered) / 10))]
