"""One line of a comparison: a system under one trace."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from bench.arrival import Finished
from bench.system import Capacity
from bench.watch import SATURATED_SHARE, Sample

LATE_GENERATOR_S = 0.05


@dataclass(frozen=True, slots=True)
class Row:
    """Shares are 0..1 of all runs; refused and failed runs are missed. Quantiles are over runs that succeeded, in time
    or late. ``cpu_share``: of all cores, by the system and the load generator together. ``saturated``: a core or the
    machine was busy, or the generator late, so that the row is not about scheduling. Replica seconds count engines that
    take calls, start or stop; accelerator seconds what is held with or without one. ``simulated_missed``: what the
    simulator says for the same runs; None where it has no such system. ``git``: the commit measured."""

    system: str
    version: str
    workflow: str
    trace: str
    objective: str
    runs: int
    missed: float
    goodput_per_s: float
    goodput_tokens_per_s: float
    refused: float
    failed: float
    p50_s: float
    p90_s: float
    p99_s: float
    replica_seconds: float
    accelerator_seconds: float
    cpu_share: float
    machine_share: float
    busiest: str
    busiest_cores: float
    rss_mb: float
    lag_p99_s: float
    saturated: bool
    simulated_missed: float | None = None
    git: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """What was offered, as a reader of the table needs it."""

    workflow: str
    trace: str
    objective: str


@dataclass(frozen=True, slots=True)
class Measured:
    """``capacities``: (seconds from the start of the load, capacity from then on); ``arrivals_s``: how long runs came;
    ``ended_s``: when the last one ended."""

    finished: Sequence[Finished]
    samples: Sequence[Sample]
    capacities: Sequence[tuple[float, Capacity]]
    arrivals_s: float
    ended_s: float


def row(system: str, version: str, load: Load, found: Measured, simulated_missed: float | None = None) -> Row:
    finished, window = found.finished, found.arrivals_s or 1.0
    count = max(1, len(finished))
    met = [one for one in finished if one.met]
    latencies = sorted(one.latency_s for one in finished if one.ending.succeeded)
    lag_p99_s = quantile(sorted(one.lag_s for one in finished), 0.99)
    loaded = [sample for sample in found.samples if sample.at_s <= window]
    means = mean_cores(loaded)
    busiest = max(means, key=lambda name: means[name], default="")
    return Row(
        system=system,
        version=version,
        workflow=load.workflow,
        trace=load.trace,
        objective=load.objective,
        runs=len(finished),
        missed=round(1 - len(met) / count, 5),
        goodput_per_s=round(len(met) / window, 4),
        goodput_tokens_per_s=round(sum(one.arrival.output_tokens for one in met) / window, 2),
        refused=round(sum(one.ending.refused for one in finished) / count, 5),
        failed=round(sum(one.ending.outcome == "FAILED" for one in finished) / count, 5),
        p50_s=quantile(latencies, 0.5),
        p90_s=quantile(latencies, 0.9),
        p99_s=quantile(latencies, 0.99),
        replica_seconds=round(_held(found, "replicas"), 2),
        accelerator_seconds=round(_held(found, "accelerators"), 2),
        cpu_share=round(sum(means.values()) / (os.cpu_count() or 1), 4),
        machine_share=round(sum(sample.machine for sample in loaded) / max(1, len(loaded)), 4),
        busiest=busiest,
        busiest_cores=round(means.get(busiest, 0.0), 4),
        rss_mb=round(max((sample.rss_mb for sample in loaded), default=0.0), 1),
        lag_p99_s=lag_p99_s,
        saturated=is_saturated(loaded, lag_p99_s),
        simulated_missed=simulated_missed,
    )


def is_saturated(samples: Sequence[Sample], lag_p99_s: float) -> bool:
    busy = sum(sample.is_saturated for sample in samples)
    return lag_p99_s > LATE_GENERATOR_S or busy > SATURATED_SHARE * len(samples)


def mean_cores(samples: Sequence[Sample]) -> dict[str, float]:
    """Cores in use by process, mean over the samples; a process that was not there used none."""
    names = sorted({name for sample in samples for name in sample.cores})
    return {name: sum(sample.cores.get(name, 0.0) for sample in samples) / len(samples) for name in names}


def quantile(ordered: Sequence[float], q: float) -> float:
    """The q quantile of ordered values, 0 where there are none."""
    return round(ordered[min(len(ordered) - 1, int(q * len(ordered)))], 4) if ordered else 0.0


def _held(found: Measured, what: str) -> float:
    total = 0.0
    for place, (since, capacity) in enumerate(found.capacities):
        last = place + 1 == len(found.capacities)
        until = found.ended_s if last else found.capacities[place + 1][0]
        total += getattr(capacity, what) * max(0.0, min(until, found.ended_s) - since)
    return total
