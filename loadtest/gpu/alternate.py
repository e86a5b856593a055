"""A load that alternates between two models under deadlines: both awake, or taking turns.

    python loadtest/gpu/alternate.py [--config FILE] [--out FOLDER] [--seconds 20]
        [--modes AWAKE FREEZE DRAIN COLD PROVISIONER]

Calls of 128 + 128 tokens arrive as a Poisson stream; which model they name alternates in phases. Where the models take
turns, a controller outside the services switches when calls of the sleeping one wait and the awake one has had its
quantum; the commands are those of the worker's RPCs. COLD unloads one engine and starts the other; in mode PROVISIONER
the cluster's own provisioner decides (provisioner.policy: risk).
"""

from __future__ import annotations

import argparse
import asyncio
import random
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
from catenary.v1.worker_service_pb2 import REPLICA_STATE_AWAKE, REPLICA_STATE_DEAD
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub

HERE = Path(__file__).parent
TOKENS = 128
MAJORITY = 0.85
HANDS_OFF = ("AWAKE", "PROVISIONER")


class Turns:
    """Which of two models is awake. ``open`` counts the calls of each that have not ended."""

    def __init__(self, worker: WorkerCommands, models: list[str], mode: str, quantum_s: float) -> None:
        self.worker = worker
        self.models = models
        self.mode = mode
        self.quantum_s = quantum_s
        self.open = dict.fromkeys(models, 0)
        self.switches: list[float] = []
        self.awake = models[0]

    async def prepare(self) -> None:
        """The first model awake; the second as the mode begins with it."""
        first, second = self.models
        states = await self.worker.states()
        if self.mode == "AWAKE":
            await self.worker.wake_surely(second)
        elif self.mode == "COLD":
            await self.worker.unload(second)
        elif states[second] == REPLICA_STATE_AWAKE:
            await self.worker.sleep(second, mode="DRAIN")
        if states[first] == REPLICA_STATE_DEAD:
            await self.worker.start(first)
        await self.worker.wake_surely(first)

    async def follow(self) -> None:
        since = time.monotonic()
        while True:
            await asyncio.sleep(0.02)
            other = next(model for model in self.models if model != self.awake)
            own_turn = self.open[self.awake] and time.monotonic() - since < self.quantum_s
            if not self.open[other] or own_turn:
                continue
            began = time.monotonic()
            if self.mode == "COLD":
                await self.worker.unload(self.awake)
                await self.worker.start(other)
            else:
                await self.worker.sleep(self.awake, mode=self.mode)
                await self.worker.wake(other)
            self.awake = other
            since = time.monotonic()
            self.switches.append(since - began)


def plan(seconds: float, rate: float, phase_s: float, models: list[str], seed: int) -> list[tuple[float, str]]:
    rng = random.Random(seed)
    at, calls = 0.0, []
    while (at := at + rng.expovariate(rate)) < seconds:
        major = models[int(at / phase_s) % 2]
        minor = next(model for model in models if model != major)
        calls.append((at, major if rng.random() < MAJORITY else minor))
    return calls


async def drive(
    client: Client, calls: list[tuple[float, str]], texts: list[str], deadline_s: float, turns: Turns
) -> list[Seen]:
    began = time.monotonic()

    async def one(at: float, model: str, text: str) -> Seen:
        await asyncio.sleep(max(0.0, began + at - time.monotonic()))
        turns.open[model] += 1
        try:
            return await run_call(client, model, text, TOKENS, deadline_s)
        finally:
            turns.open[model] -= 1

    return list(await asyncio.gather(*(one(at, model, text) for (at, model), text in zip(calls, texts, strict=True))))


def summary(mode: str, deadline_s: float, seen: list[Seen], turns: Turns) -> dict[str, Any]:
    times = sorted(one.end - one.submit for one in seen if one.outcome == "SUCCEEDED") or [0.0]
    took = max(one.end for one in seen) - min(one.submit for one in seen)
    return {
        "mode": mode,
        "deadline_s": deadline_s,
        "calls": len(seen),
        "missed": sum(not one.met for one in seen),
        "missed_share": sum(not one.met for one in seen) / len(seen),
        "not_finished": sum(one.outcome != "SUCCEEDED" for one in seen),
        "tokens_per_s": sum(one.tokens for one in seen) / took,
        "p50_s": times[len(times) // 2],
        "p95_s": times[int(0.95 * (len(times) - 1))],
        "switches": len(turns.switches),
        "switch_s": sum(turns.switches) / len(turns.switches) if turns.switches else None,
    }


async def alternate(args: argparse.Namespace) -> None:
    config = load_config(args.config)
    ready = await wait_ready(args.config, 60)
    prompts = Prompts(Path(config.models[args.models[0]].source), seed=23)
    calls = plan(args.seconds, args.rate, args.phase, args.models, seed=5)
    rows, raw = [], []
    async with channel(worker_address(ready, config)) as connection, Client(config.gateway.address) as client:
        worker = WorkerCommands(WorkerServiceStub(connection))
        for mode in args.modes:
            texts = [prompts.text(TOKENS) for _ in calls]
            turns = Turns(worker, args.models, mode, args.quantum)
            await turns.prepare()
            following = None if mode in HANDS_OFF else asyncio.create_task(turns.follow())
            seen = await drive(client, calls, texts, args.deadline, turns)
            if following is not None:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
            print_table(mode, [summary(mode, args.deadline, seen, turns)])
            rows.append(summary(mode, args.deadline, seen, turns))
            raw += [
                {"mode": mode, "model": s.model, "at": at, "e2e_s": s.end - s.submit, "ttft_s": s.ttft_s, "met": s.met,
                 "outcome": s.outcome, "tokens": s.tokens, "reason": s.reason}
                for s, (at, _) in zip(seen, calls, strict=True)
            ]  # fmt: skip
            write_rows(args.out / args.rows, raw)
    print_table(f"{args.rate:g} calls/s of {TOKENS} + {TOKENS} tokens, phases of {args.phase:g} s", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=HERE / "cluster.yaml")
    parser.add_argument("--out", type=Path, default=Path("loadtest/out/gpu"))
    parser.add_argument("--models", nargs=2, default=["llama-8b-shape", "llama-3b-shape"])
    parser.add_argument("--modes", nargs="+", default=["AWAKE", "FREEZE", "DRAIN"])
    parser.add_argument("--rows", default="alternate.jsonl", help="name of the file for the raw rows")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=12.0)
    parser.add_argument("--phase", type=float, default=5.0)
    parser.add_argument("--quantum", type=float, default=1.0)
    parser.add_argument("--deadline", type=float, default=5.0)
    asyncio.run(alternate(parser.parse_args()))


if __name__ == "__main__":
    main()
