"""Calls that are not in a profile's grid, through the gateway: what they took, for the profile to be judged by.

    python loadtest/gpu/holdout.py [--config FILE] [--out FOLDER] [--seed 7] [--scenarios 14]

Two kinds per model: batches of equal calls that arrive together, and one Poisson stream of unequal calls. Rows hold
submit times, tokens and durations; loadtest/gpu/judge.py compares them with predictions.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from pathlib import Path
from typing import Any

from calls import Seen, run_call
from cluster import wait_ready
from prompts import Prompts
from rows import print_table, write_rows

from catenary.client import Client
from catenary.runtime.config import load_config

HERE = Path(__file__).parent
BATCHES = (1, 3, 6, 12, 24, 48, 96, 192)
PROMPTS = (50, 100, 200, 400, 700, 1500, 3000)
OUTPUTS = (30, 100, 200)
KV_SHARE = 0.7
STREAM_CALLS = 96
STREAM_S = 5.0


def scenarios(count: int, kv_tokens: int, rng: random.Random) -> list[tuple[int, int, int]]:
    """(batch, prompt tokens, output tokens), none of them a grid point, each batch size at least once."""
    found: list[tuple[int, int, int]] = []
    while len(found) < count:
        batch = BATCHES[len(found) % len(BATCHES)]
        prompt, output = rng.choice(PROMPTS), rng.choice(OUTPUTS)
        if not kv_tokens or batch * (prompt + output) <= KV_SHARE * kv_tokens:
            found.append((batch, prompt, output))
    return found


def row(scenario: str, seen: Seen, began: float, prompt: int, output: int, batch: int) -> dict[str, Any]:
    record = seen.record
    return {
        "model": seen.model,
        "scenario": scenario,
        "batch": batch,
        "prompt_tokens": prompt,
        "output_tokens": output,
        "submit_s": seen.submit - began,
        "ttft_s": seen.ttft_s,
        "e2e_s": seen.end - seen.submit,
        "outcome": seen.outcome,
        "gateway_predicted_s": record.predicted_s if record else None,
        "gateway_duration_s": record.duration_s if record else None,
        "gateway_queue_s": record.queue_s if record else None,
    }


async def batch_rows(
    client: Client, model: str, prompts: Prompts, scenario: tuple[int, int, int]
) -> list[dict[str, Any]]:
    batch, prompt, output = scenario
    texts = [prompts.text(prompt) for _ in range(batch)]
    began = time.monotonic()
    seen = await asyncio.gather(*(run_call(client, model, text, output) for text in texts))
    return [row(f"batch {batch} x {prompt}+{output}", one, began, prompt, output, batch) for one in seen]


async def stream_rows(client: Client, model: str, prompts: Prompts, rng: random.Random) -> list[dict[str, Any]]:
    sizes = [(rng.choice(PROMPTS[:-1]), rng.choice(OUTPUTS)) for _ in range(STREAM_CALLS)]
    texts = [prompts.text(prompt) for prompt, _ in sizes]
    arrivals = sorted(rng.uniform(0, STREAM_S) for _ in range(STREAM_CALLS))
    began = time.monotonic()

    async def one(at: float, text: str, output: int) -> Seen:
        await asyncio.sleep(max(0.0, began + at - time.monotonic()))
        return await run_call(client, model, text, output)

    tasks = [one(at, text, output) for at, text, (_, output) in zip(arrivals, texts, sizes, strict=True)]
    seen = await asyncio.gather(*tasks)
    return [row("stream", each, began, *size, 0) for each, size in zip(seen, sizes, strict=True)]


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    table = []
    for model in sorted({row["model"] for row in rows}):
        mine = [row for row in rows if row["model"] == model and row["gateway_predicted_s"]]
        errors = sorted(abs(r["gateway_predicted_s"] / r["gateway_duration_s"] - 1) for r in mine)
        table.append(
            {
                "model": model,
                "calls": len(mine),
                "gateway's error at placement, median": statistics.median(errors) if errors else None,
                "p95": errors[int(0.95 * (len(errors) - 1))] if errors else None,
                "failed": sum(row["model"] == model and row["outcome"] != "SUCCEEDED" for row in rows),
            }
        )
    return table


async def holdout(args: argparse.Namespace) -> None:
    config = load_config(args.config)
    plan = await wait_ready(args.config, 60)
    capacity = {r.model: r.kv_capacity_tokens for w in plan.workers for r in w.snapshot.replicas}
    rng = random.Random(args.seed)
    rows: list[dict[str, Any]] = []
    async with Client(config.gateway.address) as client:
        for model in args.models or config.models:
            prompts = Prompts(Path(config.models[model].source), args.seed)
            await batch_rows(client, model, prompts, (8, 64, 16))
            for scenario in scenarios(args.scenarios, capacity.get(model, 0), rng):
                rows += await batch_rows(client, model, prompts, scenario)
            rows += await stream_rows(client, model, prompts, rng)
            write_rows(args.out / "holdout.jsonl", rows)
    print_table("calls outside the grid (duration at the gateway)", summary(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=HERE / "cluster.yaml")
    parser.add_argument("--out", type=Path, default=Path("loadtest/out/gpu"))
    parser.add_argument("--models", nargs="*")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scenarios", type=int, default=14)
    asyncio.run(holdout(parser.parse_args()))


if __name__ == "__main__":
    main()
