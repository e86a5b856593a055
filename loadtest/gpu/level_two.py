"""Sleep at level 2 with weights that a file holds: what dropping and loading them takes, and that no text changes.

python loadtest/gpu/shapes.py --tokenizer FOLDER --weights llama-1b-shape llama-8b-shape
catenary up --config loadtest/gpu/level_two.cluster.yaml &
python loadtest/gpu/level_two.py [--config FILE] [--out FOLDER] [--rounds 2]
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any

from calls import run_call
from cluster import WorkerCommands, wait_ready, worker_address
from prompts import Prompts
from rows import print_table, write_rows

from catenary.client import Client
from catenary.runtime.config import load_config
from catenary.runtime.rpc import channel
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub

HERE = Path(__file__).parent
PROMPT_TOKENS, OUTPUT_TOKENS = 128, 100


async def rounds(client: Client, worker: WorkerCommands, model: str, text: str, count: int) -> list[dict[str, Any]]:
    """Level 1 and level 2 in turn; each followed by the same greedy call."""
    first = await run_call(client, model, text, OUTPUT_TOKENS)
    again = await run_call(client, model, text, OUTPUT_TOKENS)
    rows = []
    for number in range(count):
        for level in (1, 2):
            sleep_s = await worker.sleep(model, level=level, mode="DRAIN")
            woken = time.monotonic()
            wake_s = await worker.wake(model)
            seen = await run_call(client, model, text, OUTPUT_TOKENS)
            rows.append(
                {
                    "model": model,
                    "round": number,
                    "level": level,
                    "sleep_s": sleep_s,
                    "wake_s": wake_s,
                    "to_first_token_s": seen.first - woken,
                    "same_text": seen.text == first.text,
                    "same_text_undisturbed": again.text == first.text,
                }
            )
    return rows


async def level_two(args: argparse.Namespace) -> None:
    config = load_config(args.config)
    plan = await wait_ready(args.config, args.timeout)
    starts = [
        {"model": replica.model, "start_s": replica.start_s, "weights_gib": replica.weights_bytes / 2**30}
        for worker in plan.workers
        for replica in worker.snapshot.replicas
    ]
    print_table("start from a file", starts)
    rows: list[dict[str, Any]] = []
    async with channel(worker_address(plan, config)) as connection, Client(config.gateway.address) as client:
        worker = WorkerCommands(WorkerServiceStub(connection))
        for model in config.models:
            text = Prompts(Path(config.models[model].source), seed=17).text(PROMPT_TOKENS)
            rows += await rounds(client, worker, model, text, args.rounds)
            write_rows(args.out / "level-two.jsonl", rows)
    print_table("sleep and wake through the worker's RPCs", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=HERE / "level_two.cluster.yaml")
    parser.add_argument("--out", type=Path, default=Path("loadtest/out/gpu"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=240.0)
    asyncio.run(level_two(parser.parse_args()))


if __name__ == "__main__":
    main()
