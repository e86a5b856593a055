"""Calls that are not in a profile's grid: what they took, for the profile to be judged by.

    python loadtest/gpu/holdout.py [--through worker gateway] [--config FILE] [--out FOLDER] [--seed 7]

Two kinds per model: batches of equal calls that arrive together, and one Poisson stream of unequal calls; straight to
the worker, or through the gateway, which has costs of its own. Rows hold submit times, tokens and durations;
loadtest/gpu/judge.py compares them with predictions.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from calls import run_call
from cluster import wait_ready, worker_address
from direct import DirectWorker
from prompts import Prompts
from rows import print_table, write_rows

from catenary.client import Client
from catenary.runtime.config import Config, load_config
from catenary.runtime.rpc import channel
from catenary.v1 import provisioner_service_pb2 as pb

HERE = Path(__file__).parent
BATCHES = (1, 3, 6, 12, 24, 48, 96, 192)
PROMPTS = (50, 100, 200, 400, 700, 1500, 3000)
OUTPUTS = (30, 100, 200)
KV_SHARE = 0.7
STREAM_CALLS = 96
STREAM_S = 5.0
FILES = {"worker": "holdout-direct.jsonl", "gateway": "holdout.jsonl"}


class Way(Protocol):
    async def serve(self, prompt_tokens: int, output_tokens: int, began: float, at: float) -> dict[str, Any]:
        """One call, sent ``at`` seconds after ``began``: its times in seconds and its outcome."""
        ...


class ThroughWorker:
    """Times are the worker's."""

    def __init__(self, worker: DirectWorker) -> None:
        self._worker = worker

    async def serve(self, prompt_tokens: int, output_tokens: int, began: float, at: float) -> dict[str, Any]:
        served = await self._worker.serve(prompt_tokens, output_tokens, began + at)
        return {
            "submit_s": served.submit - began,
            "ttft_s": served.ttft_s,
            "e2e_s": served.duration_s,
            "gateway_duration_s": served.duration_s,
            "gateway_queue_s": served.queue_s,
        }


class ThroughGateway:
    """Times are the client's, beside those that the gateway reports."""

    def __init__(self, client: Client, model: str, prompts: Prompts) -> None:
        self._client = client
        self._model = model
        self._prompts = prompts

    async def serve(self, prompt_tokens: int, output_tokens: int, began: float, at: float) -> dict[str, Any]:
        text = self._prompts.text(prompt_tokens)
        await asyncio.sleep(max(0.0, began + at - time.monotonic()))
        seen = await run_call(self._client, self._model, text, output_tokens)
        record = seen.record
        return {
            "submit_s": seen.submit - began,
            "ttft_s": seen.ttft_s,
            "e2e_s": seen.end - seen.submit,
            "outcome": seen.outcome,
            "gateway_predicted_s": record.predicted_s if record else None,
            "gateway_duration_s": record.duration_s if record else None,
            "gateway_queue_s": record.queue_s if record else None,
        }


def scenarios(count: int, kv_tokens: int, rng: random.Random) -> list[tuple[int, int, int]]:
    """(batch, prompt tokens, output tokens), none of them a grid point, each batch size at least once."""
    found: list[tuple[int, int, int]] = []
    while len(found) < count:
        batch = BATCHES[len(found) % len(BATCHES)]
        prompt, output = rng.choice(PROMPTS), rng.choice(OUTPUTS)
        if not kv_tokens or batch * (prompt + output) <= KV_SHARE * kv_tokens:
            found.append((batch, prompt, output))
    return found


async def send(way: Way, calls: list[tuple[int, int, float]], labels: dict[str, Any]) -> list[dict[str, Any]]:
    """(prompt tokens, output tokens, seconds from now) of each call; one row each."""
    began = time.monotonic()
    times = await asyncio.gather(*(way.serve(prompt, output, began, at) for prompt, output, at in calls))
    return [
        labels | {"prompt_tokens": prompt, "output_tokens": output} | found
        for (prompt, output, _), found in zip(calls, times, strict=True)
    ]


async def model_rows(way: Way, model: str, capacity: int, count: int, rng: random.Random) -> list[dict[str, Any]]:
    await send(way, [(64, 16, 0.0)] * 8, {})
    rows: list[dict[str, Any]] = []
    for batch, prompt, output in scenarios(count, capacity, rng):
        labels = {"model": model, "scenario": f"batch {batch} x {prompt}+{output}", "batch": batch}
        rows += await send(way, [(prompt, output, 0.0)] * batch, labels)
    stream = [(rng.choice(PROMPTS[:-1]), rng.choice(OUTPUTS), rng.uniform(0, STREAM_S)) for _ in range(STREAM_CALLS)]
    return rows + await send(way, stream, {"model": model, "scenario": "stream", "batch": 0})


@asynccontextmanager
async def opened(through: str, config: Config, plan: pb.Plan, model: str, seed: int) -> AsyncIterator[Way]:
    if through == "worker":
        async with channel(worker_address(plan, config)) as connection, DirectWorker(connection, model) as worker:
            yield ThroughWorker(worker)
    else:
        async with Client(config.gateway.address) as client:
            yield ThroughGateway(client, model, Prompts(Path(config.models[model].source), seed))


async def holdout(args: argparse.Namespace) -> None:
    config = load_config(args.config)
    plan = await wait_ready(args.config, 60)
    capacity = {r.model: r.kv_capacity_tokens for w in plan.workers for r in w.snapshot.replicas}
    models = args.models or list(config.models)
    for through in args.through:
        rng = random.Random(args.seed)
        rows: list[dict[str, Any]] = []
        for model in models:
            async with opened(through, config, plan, model, args.seed) as way:
                rows += await model_rows(way, model, capacity.get(model, 0), args.scenarios, rng)
            write_rows(args.out / FILES[through], rows)
        failed = [row for row in rows if row.get("outcome", "SUCCEEDED") != "SUCCEEDED"]
        counts = [{"model": model, "calls": sum(row["model"] == model for row in rows)} for model in models]
        print_table(f"calls outside the grid, through the {through}; {len(failed)} failed", counts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--through", nargs="+", choices=list(FILES), default=["worker"])
    parser.add_argument("--config", type=Path, default=HERE / "cluster.yaml")
    parser.add_argument("--out", type=Path, default=Path("loadtest/out/gpu"))
    parser.add_argument("--models", nargs="*")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scenarios", type=int, default=16)
    asyncio.run(holdout(parser.parse_args()))


if __name__ == "__main__":
    main()
