"""Which CPU cores each CPU worker computes on."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from catenary.runtime.config import WorkerConfig
from catenary.runtime.cores import cores_of, cores_text


def cpu_bindings(workers: Sequence[WorkerConfig], cores: Sequence[int]) -> dict[str, str]:
    """A list of cores such as "0-3" for each CPU worker, by worker id.

    A worker with ``cpu_threads`` gets these. The others share ``cores`` evenly in runs of neighbours; where there are
    fewer cores than workers, they take turns at one core each.
    """
    chosen = {worker.id: worker.cpu_threads for worker in workers if worker.device == "cpu" and worker.cpu_threads}
    shared = [worker.id for worker in workers if worker.device == "cpu" and not worker.cpu_threads]
    return chosen | {name: cores_text(part) for name, part in zip(shared, _split(cores, len(shared)), strict=True)}


def _split(cores: Sequence[int], num_parts: int) -> list[list[int]]:
    ordered = sorted(cores)
    if len(ordered) < num_parts:
        return [[ordered[i % len(ordered)]] for i in range(num_parts)]
    bounds = [i * len(ordered) // num_parts for i in range(num_parts + 1)] if num_parts else []
    return [ordered[start:end] for start, end in itertools.pairwise(bounds)]


def engine_cores(worker_id: str, bindings: Mapping[str, str], cores: Sequence[int]) -> str:
    """Where the processes of a worker's engines run: on its own cores, and those that no engine computes on.

    vLLM's engine process polls for the end of each step, and gives its core up only to processes of its own session:
    on the core of another worker's engine it takes a third of it. Empty: anywhere.
    """
    own = cores_of(bindings[worker_id])
    spare = set(cores).difference(*map(cores_of, bindings.values()))
    return cores_text(own | spare) if own <= set(cores) and own else ""
