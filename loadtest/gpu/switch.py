"""Switching models on one accelerator through the whole system: calls of one frozen, the other one's first token.

    python loadtest/gpu/switch.py [--config FILE] [--out FOLDER] [--rounds 4]

A switch is SleepModel(mode FREEZE) of the awake model, then WakeModel of the other, whose call already waits in the
router. Time counts from the first command to the first token at the client. The frozen calls' texts are compared with
an undisturbed run, and a second undisturbed run with the first, for what differs by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from pathlib import Path
from typing import Any

import psutil
from calls import Seen, run_call
from cluster import WorkerCommands, wait_ready, worker_address
from prompts import Prompts
from rows import print_table, write_rows

from catenary.client import Client
from catenary.runtime.config import load_config
from catenary.runtime.rpc import channel
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub

HERE = Path(__file__).parent
NUM_CALLS = 8
PROMPT_TOKENS = 128
GIB = 1 << 30


class Switching:
    """``home`` runs long calls; ``guest`` has one short call that waits for it to be woken."""

    def __init__(self, client: Client, worker: WorkerCommands, home: str, guest: str, args: argparse.Namespace) -> None:
        self.client = client
        self.worker = worker
        self.home = home
        self.guest = guest
        self.tokens = args.tokens
        self.before_s = args.before
        prompts = Prompts(Path(load_config(args.config).models[home].source), seed=11)
        self.texts = [prompts.text(PROMPT_TOKENS) for _ in range(NUM_CALLS)]
        self.guest_text = prompts.text(PROMPT_TOKENS)

    def start_home(self) -> list[asyncio.Task[Seen]]:
        return [asyncio.create_task(run_call(self.client, self.home, text, self.tokens)) for text in self.texts]

    async def undisturbed(self) -> list[Seen]:
        return list(await asyncio.gather(*self.start_home()))

    async def round(self, number: int, reference: list[str]) -> dict[str, Any]:
        home = self.start_home()
        await asyncio.sleep(self.before_s)
        guest = asyncio.create_task(run_call(self.client, self.guest, self.guest_text, 16))
        await asyncio.sleep(0.1)
        decided = time.monotonic()
        sleep_s = await self.worker.sleep(self.home, mode="FREEZE")
        wake_s = await self.worker.wake(self.guest)
        visitor = await guest
        back_sleep_s = await self.worker.sleep(self.guest, mode="DRAIN")
        back_wake_s = await self.worker.wake(self.home)
        away_s = time.monotonic() - decided
        seen = await asyncio.gather(*home)
        return {
            "round": number,
            "frozen": self.home,
            "woken": self.guest,
            "freeze_s": sleep_s,
            "wake_s": wake_s,
            "to_first_token_s": visitor.first - decided,
            "guest_end_s": visitor.end - decided,
            "guest_outcome": visitor.outcome,
            "back_sleep_s": back_sleep_s,
            "back_wake_s": back_wake_s,
            "away_s": away_s,
            "home_e2e_s": statistics.mean(one.end - one.submit for one in seen),
            "longest_gap_s": max(one.longest_gap_s for one in seen),
            "finished": sum(one.outcome == "SUCCEEDED" for one in seen),
            "whole": sum(one.tokens == self.tokens for one in seen),
            "restarts": sum(one.restarts for one in seen),
            "attempts": max(one.record.attempts if one.record else 0 for one in seen),
            "same_text": sum(one.text == text for one, text in zip(seen, reference, strict=True)),
            "host_used_gib": psutil.virtual_memory().used / GIB,
        }


async def pair(switching: Switching, rounds: int) -> list[dict[str, Any]]:
    worker = switching.worker
    first = [one.text for one in await switching.undisturbed()]
    again = await switching.undisturbed()
    control = sum(one.text == text for one, text in zip(again, first, strict=True))
    alone_s = statistics.mean(one.end - one.submit for one in again)
    await worker.sleep(switching.guest, mode="DRAIN")
    rows = []
    for number in range(rounds):
        found = await switching.round(number, first)
        rows.append(found | {"same_text_control": control, "alone_e2e_s": alone_s})
        await asyncio.sleep(0.2)
    await worker.wake(switching.guest)
    return rows


async def prepare(worker: WorkerCommands, models: list[str]) -> list[dict[str, Any]]:
    """Sleep and wake every model twice: the first sleep pins host memory."""
    rows: list[dict[str, Any]] = []
    for model in models:
        before = psutil.virtual_memory().used
        first, wake_first = await worker.sleep(model, mode="DRAIN"), await worker.wake(model)
        again, wake_again = await worker.sleep(model, mode="DRAIN"), await worker.wake(model)
        rows.append(
            {
                "model": model,
                "sleep_s": first,
                "wake_s": wake_first,
                "sleep_again_s": again,
                "wake_again_s": wake_again,
                "host_gib": (psutil.virtual_memory().used - before) / GIB,
            }
        )
    return rows


async def switch(args: argparse.Namespace) -> None:
    config = load_config(args.config)
    plan = await wait_ready(args.config, 60)
    small, middle, large = args.models
    rows: list[dict[str, Any]] = []
    async with channel(worker_address(plan, config)) as connection, Client(config.gateway.address) as client:
        worker = WorkerCommands(WorkerServiceStub(connection))
        prepared = await prepare(worker, args.models)
        write_rows(args.out / "sleep.jsonl", prepared)
        print_table("sleep and wake through the worker's RPCs, level 1", prepared)
        for home, guest in ((large, middle), (middle, large), (large, small)):
            rows += await pair(Switching(client, worker, home, guest, args), args.rounds)
            write_rows(args.out / "switch.jsonl", rows)
    shown = ("frozen", "woken", "freeze_s", "wake_s", "to_first_token_s", "away_s", "longest_gap_s")
    print_table("switches", [{name: row[name] for name in shown} for row in rows])
    checks = (
        "finished",
        "whole",
        "restarts",
        "attempts",
        "same_text",
        "same_text_control",
        "alone_e2e_s",
        "home_e2e_s",
    )
    print_table(f"the {NUM_CALLS} frozen calls of each switch", [{name: row[name] for name in checks} for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=HERE / "cluster.yaml")
    parser.add_argument("--out", type=Path, default=Path("loadtest/out/gpu"))
    parser.add_argument("--models", nargs=3, default=["llama-1b-shape", "llama-3b-shape", "llama-8b-shape"])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--before", type=float, default=0.7, help="seconds between the calls and the guest's call")
    asyncio.run(switch(parser.parse_args()))


if __name__ == "__main__":
    main()
