"""Calls that are not in a profile's grid, straight to the worker: what they took, to judge the profile by.

    python loadtest/gpu/holdout_direct.py [--config FILE] [--out FOLDER] [--seed 7] [--scenarios 16]

The scenarios of loadtest/gpu/holdout.py without gateway and router, which have costs of their own. Times are the
worker's; loadtest/gpu/judge.py compares them with predictions.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from pathlib import Path
from typing import Any

from cluster import wait_ready, worker_address
from direct import DirectWorker, Served
from holdout import OUTPUTS, PROMPTS, STREAM_CALLS, STREAM_S, scenarios
from rows import print_table, write_rows

from catenary.runtime.config import load_config
from catenary.runtime.rpc import channel

HERE = Path(__file__).parent


def row(model: str, scenario: str, served: Served, began: float, batch: int) -> dict[str, Any]:
    """In the fields of the rows that come through the gateway."""
    return {
        "model": model,
        "scenario": scenario,
        "batch": batch,
        "prompt_tokens": served.prompt_tokens,
        "output_tokens": served.output_tokens,
        "submit_s": served.submit - began,
        "ttft_s": served.ttft_s,
        "e2e_s": served.duration_s,
        "gateway_duration_s": served.duration_s,
        "gateway_queue_s": served.queue_s,
    }


async def batch_rows(worker: DirectWorker, model: str, scenario: tuple[int, int, int]) -> list[dict[str, Any]]:
    batch, prompt, output = scenario
    began = time.monotonic()
    served = await asyncio.gather(*(worker.serve(prompt, output) for _ in range(batch)))
    return [row(model, f"batch {batch} x {prompt}+{output}", one, began, batch) for one in served]


async def stream_rows(worker: DirectWorker, model: str, rng: random.Random) -> list[dict[str, Any]]:
    began = time.monotonic()
    calls = [
        worker.serve(rng.choice(PROMPTS[:-1]), rng.choice(OUTPUTS), began + rng.uniform(0, STREAM_S))
        for _ in range(STREAM_CALLS)
    ]
    return [row(model, "stream", one, began, 0) for one in await asyncio.gather(*calls)]


async def holdout(args: argparse.Namespace) -> None:
    config = load_config(args.config)
    plan = await wait_ready(args.config, 60)
    capacity = {r.model: r.kv_capacity_tokens for w in plan.workers for r in w.snapshot.replicas}
    rng = random.Random(args.seed)
    rows: list[dict[str, Any]] = []
    async with channel(worker_address(plan, config)) as connection:
        for model in args.models or config.models:
            async with DirectWorker(connection, model) as worker:
                await batch_rows(worker, model, (8, 64, 16))
                for scenario in scenarios(args.scenarios, capacity.get(model, 0), rng):
                    rows += await batch_rows(worker, model, scenario)
                rows += await stream_rows(worker, model, rng)
            write_rows(args.out / "holdout-direct.jsonl", rows)
    counts = [{"model": m, "calls": sum(r["model"] == m for r in rows)} for m in args.models or config.models]
    print_table("calls outside the grid, at the worker", counts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=HERE / "cluster.yaml")
    parser.add_argument("--out", type=Path, default=Path("loadtest/out/gpu"))
    parser.add_argument("--models", nargs="*")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scenarios", type=int, default=16)
    asyncio.run(holdout(parser.parse_args()))


if __name__ == "__main__":
    main()
