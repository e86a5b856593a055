"""Sleep at level 2 with weights that a file holds: what dropping and loading them takes, and that no text changes.

python loadtest/gpu/shapes.py --tokenizer FOLDER --weights llama-3b-shape llama-8b-shape
CATENARY_PROVISIONER__POLICY=static catenary up --config loadtest/gpu/together.cluster.yaml &
python loadtest/gpu/level_two.py [--config FILE] [--out FOLDER] [--models NAME ...] [--rounds 2]
    [--cold]

With ``--cold`` each model's engine is then ended and started again, from the file.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any

from calls import Seen, run_call
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
    await worker.wake_surely(model)
    first = await run_call(client, model, text, OUTPUT_TOKENS)
    again = await run_call(client, model, text, OUTPUT_TOKENS)
    rows = []
    for number in range(count):
        for level in (1, 2):
            sleep_s = await worker.sleep(model, level=level, mode="DRAIN")
            woken = time.monotonic()
            wake_s = await worker.wake(model)
            seen = await run_call(client, model, text, OUTPUT_TOKENS)
            rows.append(row(model, level, number, sleep_s, wake_s, seen, woken, first.text))
            rows[-1]["same_text_undisturbed"] = again.text == first.text
    return rows


async def cold(client: Client, worker: WorkerCommands, model: str, text: str) -> dict[str, Any]:
    """The engine ended and started; the call's text is not compared, since nothing came before it."""
    end_s = await worker.unload(model)
    began = time.monotonic()
    start_s = await worker.start(model)
    seen = await run_call(client, model, text, OUTPUT_TOKENS)
    return row(model, 0, 0, end_s, start_s, seen, began, seen.text)


def row(
    model: str, level: int, number: int, sleep_s: float, wake_s: float, seen: Seen, woken: float, text: str
) -> dict[str, Any]:
    """Level 0 stands for an engine that was ended and started."""
    return {
        "model": model,
        "round": number,
        "level": level,
        "sleep_s": sleep_s,
        "wake_s": wake_s,
        "to_first_token_s": seen.first - woken,
        "same_text": seen.text == text,
    }


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
        for model in args.models or config.models:
            text = Prompts(Path(config.models[model].source), seed=17).text(PROMPT_TOKENS)
            rows += await rounds(client, worker, model, text, args.rounds)
            if args.cold:
                rows.append(await cold(client, worker, model, text))
            write_rows(args.out / "level-two.jsonl", rows)
    print_table("sleep and wake through the worker's RPCs", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=HERE / "together.cluster.yaml")
    parser.add_argument("--out", type=Path, default=Path("loadtest/out/gpu"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--models", nargs="+", default=[], help="default: all of them")
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--timeout", type=float, default=240.0)
    asyncio.run(level_two(parser.parse_args()))


if __name__ == "__main__":
    main()
