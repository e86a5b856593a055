"""Engines that are awake on one accelerator slow each other down: how much, and the simulator made aware of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import median

from direct import DirectWorker

from catenary.core.router import Assign
from catenary.model.run import Run, RunEvent
from catenary.simulation.cluster import Cluster

NUM_SEQUENCES = 8
PROMPT_TOKENS = 64
Weights = Mapping[tuple[str, str], float]


async def step_s(worker: DirectWorker, tokens: int) -> float:
    """Seconds per token of a few calls at once."""
    served = await asyncio.gather(*(worker.serve(PROMPT_TOKENS, tokens) for _ in range(NUM_SEQUENCES)))
    return median((one.duration_s - one.ttft_s) / (one.output_tokens - 1) for one in served)


async def steps_together(workers: Mapping[str, DirectWorker], tokens: Mapping[str, int]) -> dict[str, float]:
    """Seconds per token of each model while all of them decode: the others go on until each has been measured."""
    done = dict.fromkeys(workers, False)

    async def loop(model: str) -> float:
        first = await step_s(workers[model], tokens[model])
        done[model] = True
        while not all(done.values()):
            await step_s(workers[model], 32)
        return first

    found = await asyncio.gather(*(loop(model) for model in workers))
    return dict(zip(workers, found, strict=True))


async def measure(workers: Mapping[str, DirectWorker], tokens: Mapping[str, int]) -> list[dict[str, float | str]]:
    """Each model's step alone, beside each other one, and beside all, in seconds."""
    rows: list[dict[str, float | str]] = []
    for size in range(1, len(workers) + 1):
        for models in combinations(workers, size):
            found = await steps_together({m: workers[m] for m in models}, tokens)
            rows += [
                {"model": m, "beside": " ".join(o for o in models if o != m), "step_ms": s * 1e3}
                for m, s in found.items()
            ]
    return rows


def weights(rows: Sequence[Mapping[str, float | str]], models: Sequence[str]) -> dict[tuple[str, str], float]:
    """By (model, other): the share of its step that a model loses while the other is busy, from the pairs."""
    steps = {(str(row["model"]), str(row["beside"])): float(row["step_ms"]) for row in rows}
    return {(m, o): max(0.0, steps[m, o] / steps[m, ""] - 1) for m in models for o in models if m != o}


class SharedAccelerator:
    """A watcher that slows every engine by the sum of its weights for the others that are busy. One replica a model."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._busy: frozenset[str] = frozenset()

    def stepped(self, cluster: Cluster) -> None:
        held = [(worker, replica) for worker in cluster.workers.values() for replica in worker.replicas.values()]
        busy = frozenset(replica.model for _, replica in held if replica.engine.num_running)
        if busy == self._busy:
            return
        self._busy = busy
        for worker, replica in held:
            lost = (self._weights[replica.model, other] for other in busy if other != replica.model)
            worker.slow_down(replica.model, 1 + sum(lost))

    def assigned(self, action: Assign, cluster: Cluster) -> None: ...
    def published(self, event: RunEvent, cluster: Cluster) -> None: ...
    def refused(self, run_id: str, cluster: Cluster) -> None: ...
    def ended(self, run: Run, cluster: Cluster) -> None: ...
