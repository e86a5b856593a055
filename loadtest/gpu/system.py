"""The whole system on one accelerator: waits for the cluster, runs a three-model workflow, keeps its timeline.

catenary up --config loadtest/gpu/cluster.yaml &
python loadtest/gpu/system.py [--config FILE] [--out FOLDER] [--runs 8]
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import asdict
from pathlib import Path

from cluster import wait_ready
from prompts import Prompts
from rich.console import Console
from rows import print_table, write_rows

from catenary.cli.palette import Palette
from catenary.cli.timeline import timeline
from catenary.client import Client, Run
from catenary.runtime.config import load_config

HERE = Path(__file__).parent
WIDTH = 118
WORKFLOW = """
name: three-models
description: The smallest model plans, the middle one drafts three parts, the largest one joins them.
slo: {deadline: 20s, attainment: 0.95, on_miss: finish}
inputs: {article: string, parts: list}
calls:
  plan:
    model: llama-1b-shape
    prompt: "{{ inputs.article }}"
    max_tokens: 64
    ignore_eos: true
    temperature: 0
  draft:
    model: llama-3b-shape
    for_each: "{{ inputs.parts }}"
    max_items: 8
    prompt: "{{ item }}: {{ plan.text }} {{ inputs.article }}"
    max_tokens: 128
    ignore_eos: true
    temperature: 0
  check:
    model: llama-1b-shape
    prompt: "Check the plan: {{ plan.text }}"
    max_tokens: 48
    ignore_eos: true
    temperature: 0
  join:
    model: llama-8b-shape
    prompt: "{{ draft | map(attribute='text') | join(' ') }} {{ check.text }}"
    max_tokens: 192
    ignore_eos: true
    temperature: 0
output: "{{ join.text }}"
"""


def row(run: Run, number: int) -> dict[str, object]:
    return {
        "run": number,
        "outcome": run.outcome.value if run.outcome else "",
        "met": run.met,
        "e2e_s": run.e2e_s,
        "predicted_s": run.predicted_s,
        "calls": len(run.calls),
        "output tokens": sum(call.output_tokens for call in run.calls),
        "reason": run.reason[:60],
    }


async def system(args: argparse.Namespace) -> int:
    began = time.monotonic()
    plan = await wait_ready(args.config, args.timeout)
    waited = time.monotonic() - began
    replicas = [
        {
            "worker": worker.worker_id,
            "accelerator": worker.snapshot.accelerator,
            "model": replica.model,
            "engine": replica.engine,
            "start_s": replica.start_s,
            "kv_tokens": replica.kv_capacity_tokens,
            "free_gib": worker.snapshot.memory_free_bytes / 2**30,
        }
        for worker in plan.workers
        for replica in worker.snapshot.replicas
    ]
    print_table(f"ready after {waited:.1f} s of waiting", replicas)
    config = load_config(args.config)
    prompts = Prompts(Path(next(iter(config.models.values())).source))
    runs = []
    async with Client(config.gateway.address) as client:
        for _ in range(args.runs):
            inputs = {"article": prompts.text(256), "parts": ["one", "two", "three"]}
            runs.append(await client.run(WORKFLOW, inputs))
    console = Console(record=True, width=WIDTH, force_terminal=True)
    console.print(timeline(runs[-1], Palette()))
    args.out.mkdir(parents=True, exist_ok=True)
    console.save_svg(str(args.out / "timeline.svg"), title="three models, one accelerator", clear=False)
    console.save_text(str(args.out / "timeline.txt"))
    write_rows(args.out / "system.jsonl", [*replicas, *(asdict(run) | {"submit_time": ""} for run in runs)])
    rows = [row(run, number) for number, run in enumerate(runs)]
    print_table("runs of the three-model workflow, one after the other", rows)
    return 0 if all(run.succeeded for run in runs) else 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=HERE / "cluster.yaml")
    parser.add_argument("--out", type=Path, default=Path("loadtest/out/gpu"))
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--timeout", type=float, default=420.0)
    raise SystemExit(asyncio.run(system(parser.parse_args())))


if __name__ == "__main__":
    main()
