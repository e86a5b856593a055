"""Which CPU cores each CPU worker computes on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from catenary.runtime.config import WorkerConfig


def cpu_bindings(workers: Sequence[WorkerConfig], cores: Sequence[int]) -> dict[str, str]:
    """A list of cores such as "0-3" for each CPU worker, by worker id.

    A worker with ``cpu_threads`` gets these. The others share ``cores`` evenly in runs of neighbours; where there are
    fewer cores than workers, they take turns at one core each.
    """
    chosen = {worker.id: worker.cpu_threads for worker in workers if worker.device == "cpu" and worker.cpu_threads}
    shared = [worker.id for worker in workers if worker.device == "cpu" and not worker.cpu_threads]
    return chosen | {name: _ranges(part) for name, part in zip(shared, _split(cores, len(shared)), strict=True)}


def _split(cores: Sequence[int], num_parts: int) -> list[list[int]]:
    ordered = sorted(cores)
    if len(ordered) < num_parts:
        return [[ordered[i % len(ordered)]] for i in range(num_parts)]
    bounds = [i * len(ordered) // num_parts for i in range(num_parts + 1)] if num_parts else []
    return [ordered[start:end] for start, end in itertools.pairwise(bounds)]


def _ranges(cores: Sequence[int]) -> str:
    runs: list[list[int]] = []
    for core in cores:
        if runs and core == runs[-1][-1] + 1:
            runs[-1].append(core)
        else:
            runs.append([core])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
