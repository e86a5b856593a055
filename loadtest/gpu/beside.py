"""What the provisioner does with two models that fit on one accelerator together: load on one, on both, on the other.

    catenary up --config loadtest/gpu/beside.cluster.yaml &
    python loadtest/gpu/beside.py [--config FILE] [--out FOLDER] [--seconds 12] [--rate 6]

Nobody but the provisioner commands the worker. A decision counts from the poll of the plan that shows it first, every
``POLL_S``; it is done when the worker's snapshots show the model's new state. Rows go to ``beside.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from calls import Seen, run_call
from cluster import wait_ready, worker_address
from prompts import Prompts
from provisioned_switch import States, followed
from rows import print_table

from catenary.client import Client
from catenary.runtime.config import load_config
from catenary.runtime.rpc import channel
from catenary.runtime.tasks import cancel
from catenary.v1.provisioner_service_pb2 import GetPlanRequest
from catenary.v1.provisioner_service_pb2_grpc import ProvisionerServiceStub
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub

HERE = Path(__file__).parent
TOKENS = 128
POLL_S = 0.02
PAUSE_S = 3.0
DONE = ("AWAKE", "ASLEEP")


@dataclass(frozen=True, slots=True)
class Phase:
    name: str
    models: Sequence[str]


class Decisions:
    """The plan's reasons and when each was seen first, seconds of time.monotonic()."""

    def __init__(self, stub: ProvisionerServiceStub) -> None:
        self._stub = stub
        self.seen: list[tuple[float, str]] = []

    async def follow(self) -> None:
        known: Sequence[str] = (await self._stub.GetPlan(GetPlanRequest())).plan.reasons
        while True:
            reasons = (await self._stub.GetPlan(GetPlanRequest())).plan.reasons
            self.seen += [(time.monotonic(), reason) for reason in new_ones(known, reasons)]
            known = reasons
            await asyncio.sleep(POLL_S)


def new_ones(known: Sequence[str], reasons: Sequence[str]) -> Sequence[str]:
    """What ``reasons``, of which old ones fall out in front, has after ``known``."""
    for start in range(len(known) + 1):
        kept = list(known[start:])
        if list(reasons[: len(kept)]) == kept:
            return reasons[len(kept) :]
    return reasons


@asynccontextmanager
async def decided(stub: ProvisionerServiceStub) -> AsyncIterator[Decisions]:
    decisions = Decisions(stub)
    task = asyncio.create_task(decisions.follow(), name="plans")
    try:
        yield decisions
    finally:
        await cancel(task)


async def offer(
    client: Client, phase: Phase, prompts: Prompts, args: argparse.Namespace, draw: random.Random
) -> list[Seen]:
    """A Poisson stream of calls for each of the phase's models."""
    arrivals = []
    for model in phase.models:
        at = draw.expovariate(args.rate)
        while at < args.seconds:
            arrivals.append((at, model, prompts.text(TOKENS)))
            at += draw.expovariate(args.rate)
    began = time.monotonic()

    async def one(at: float, model: str, text: str) -> Seen:
        await asyncio.sleep(max(0.0, began + at - time.monotonic()))
        return await run_call(client, model, text, TOKENS, args.deadline)

    return list(await asyncio.gather(*(one(*arrival) for arrival in arrivals)))


def line(phase: Phase, model: str, seen: Sequence[Seen]) -> dict[str, Any]:
    own = sorted((one for one in seen if one.model == model), key=lambda one: one.submit)
    times = sorted(one.end - one.submit for one in own if one.outcome == "SUCCEEDED") or [0.0]
    return {
        "phase": phase.name,
        "model": model,
        "calls": len(own),
        "missed": sum(not one.met for one in own),
        "refused": sum(not one.met and not one.first for one in own),
        "first_ttft_s": own[0].ttft_s if own and own[0].first else None,
        "p50_s": median(times),
        "p95_s": times[int(0.95 * (len(times) - 1))],
    }


def actions(decisions: Decisions, states: States, began: float, models: Sequence[str]) -> list[dict[str, Any]]:
    """Each decision, and when what it names next came to rest."""
    found = []
    for number, (at, reason) in enumerate(decisions.seen):
        until = decisions.seen[number + 1][0] if number + 1 < len(decisions.seen) else float("inf")
        row: dict[str, Any] = {"at_s": at - began, "reason": reason}
        for model in models:
            changes = [(t, state) for t, name, state in states.changes if name == model and at - 0.1 < t < until]
            rest = next(((t, state) for t, state in changes if state in DONE), None)
            row[model] = f"{rest[1].lower()} after {rest[0] - at:.2f} s" if rest else ""
        found.append(row)
    return found


async def beside(args: argparse.Namespace) -> None:
    config = load_config(args.config)
    plan = await wait_ready(args.config, args.timeout)
    first, second = args.models or config.workers[0].models
    phases = (
        Phase("first", [first]),
        Phase("both", [first, second]),
        Phase("second", [second]),
        Phase("both again", [first, second]),
        Phase("first again", [first]),
    )
    prompts = Prompts(Path(config.models[first].source), seed=31)
    draw = random.Random(args.seed)
    table: list[dict[str, Any]] = []
    began = time.monotonic()
    async with (
        channel(worker_address(plan, config)) as connection,
        channel(config.provisioner.address) as plans,
        Client(config.gateway.address) as client,
        followed(WorkerServiceStub(connection)) as states,
        decided(ProvisionerServiceStub(plans)) as decisions,
    ):
        for phase in phases:
            start_s = time.monotonic() - began
            seen = await offer(client, phase, prompts, args, draw)
            table += [{**line(phase, model, seen), "start_s": start_s} for model in phase.models]
            await asyncio.sleep(PAUSE_S if phase is phases[-1] else 0.0)
            taken = actions(decisions, states, began, [first, second])
            changes = [(round(at - began, 3), model, state) for at, model, state in states.changes]
            args.out.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"phases": table, "decisions": taken, "states": changes}, indent=1)
            (args.out / "beside.json").write_text(text + "\n")
    print_table(f"{args.rate:g} calls/s a model, {TOKENS} + {TOKENS} tokens, due in {args.deadline:g} s", table)
    print_table("decisions", taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=HERE / "beside.cluster.yaml")
    parser.add_argument("--out", type=Path, default=Path("loadtest/out/gpu"))
    parser.add_argument("--models", nargs=2, help="default: the first worker's")
    parser.add_argument("--seconds", type=float, default=12.0, help="of each of the five phases")
    parser.add_argument("--rate", type=float, default=6.0, help="calls per second of each model")
    parser.add_argument("--deadline", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--timeout", type=float, default=300.0)
    asyncio.run(beside(parser.parse_args()))


if __name__ == "__main__":
    main()
