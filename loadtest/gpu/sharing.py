"""Engines that are awake on one accelerator slow each other down: how much, and the simulator made aware of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import median

from direct import DirectWorker

from catenary.core.router import Assign
from catenary.model.profile import EngineProfile
from catenary.model.run import Run, RunEvent
from catenary.simulation.cluster import Cluster

NUM_SEQUENCES = 8
PROMPT_TOKENS = 64
NUM_PROMPTS, LONG_PROMPT_TOKENS = 6, 256
Row = dict[str, float | str]
Slowdowns = Mapping[tuple[str, frozenset[str]], float]


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


async def first_token_s(workers: Mapping[str, DirectWorker], model: str) -> float:
    """Seconds to the first token of one prompt after the other on an idle engine while the other ones decode."""
    measured = asyncio.Event()
    others = [asyncio.create_task(_decode(worker, measured)) for other, worker in workers.items() if other != model]
    await asyncio.sleep(0.1)
    served = [await workers[model].serve(LONG_PROMPT_TOKENS, 2) for _ in range(NUM_PROMPTS)]
    measured.set()
    await asyncio.gather(*others)
    return median(one.ttft_s for one in served)


async def _decode(worker: DirectWorker, until: asyncio.Event) -> None:
    while not until.is_set():
        await step_s(worker, 32)


async def measure(workers: Mapping[str, DirectWorker], tokens: Mapping[str, int]) -> list[Row]:
    """Each model's step and first token alone, beside each other one, and beside all."""
    rows: list[Row] = []
    for size in range(1, len(workers) + 1):
        for models in combinations(workers, size):
            some = {m: workers[m] for m in models}
            for m, step in (await steps_together(some, tokens)).items():
                first_ms = await first_token_s(some, m) * 1e3
                beside = " ".join(other for other in models if other != m)
                rows.append({"model": m, "beside": beside, "step_ms": step * 1e3, "first_token_ms": first_ms})
    return rows


def slowdowns(
    rows: Sequence[Mapping[str, float | str]], profiles: Mapping[str, EngineProfile], tokens: Mapping[str, int]
) -> dict[tuple[str, frozenset[str]], float]:
    """By (model, others that are busy): how many times the profile's step one takes beside them; 1 beside nobody.

    The measure is the profile's step, not the one alone on this machine: what counts is the time beside the others, and
    a step that the host's speed bounds differs between machines by more alone than in company.
    """
    found: dict[tuple[str, frozenset[str]], float] = {}
    for row in rows:
        model, others = str(row["model"]), frozenset(str(row["beside"]).split())
        context = NUM_SEQUENCES * (PROMPT_TOKENS + tokens[model] / 2)
        alone_ms = profiles[model].step_s(NUM_SEQUENCES, context) * 1e3
        found[model, others] = max(1.0, float(row["step_ms"]) / alone_ms) if others else 1.0
    return found


class SharedAccelerator:
    """A watcher that slows every engine as the others that are busy do. One replica a model."""

    def __init__(self, slowdowns: Slowdowns) -> None:
        self._slowdowns = slowdowns
        self._busy: frozenset[str] = frozenset()

    def stepped(self, cluster: Cluster) -> None:
        held = [(worker, replica) for worker in cluster.workers.values() for replica in worker.replicas.values()]
        busy = frozenset(replica.model for _, replica in held if replica.engine.num_running)
        if busy == self._busy:
            return
        self._busy = busy
        for worker, replica in held:
            worker.slow_down(replica.model, self._slowdowns[replica.model, busy - {replica.model}])

    def assigned(self, action: Assign, cluster: Cluster) -> None: ...
    def published(self, event: RunEvent, cluster: Cluster) -> None: ...
    def refused(self, run_id: str, cluster: Cluster) -> None: ...
    def ended(self, run: Run, cluster: Cluster) -> None: ...
