"""Switches that the provisioner decides on, where only one of two models fits: decision to first token, step by step.

    catenary up --config loadtest/gpu/one_awake.cluster.yaml &
    python loadtest/gpu/provisioned_switch.py [--config FILE] [--out FOLDER] [--rounds 3]

Eight long calls run on the model that is awake; then four short calls of the other one come, with a deadline that they
miss unless it wakes soon. Nobody but the provisioner commands the worker. Its decision shows as the awake replica's
leaving that state in the worker's snapshots, which the worker sends at each change. Afterwards the long calls have to
finish too, with all their tokens.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from calls import Seen, run_call
from cluster import wait_ready, worker_address
from prompts import Prompts
from rows import print_table, write_rows

from catenary.client import Client
from catenary.runtime.config import load_config
from catenary.runtime.rpc import channel
from catenary.runtime.tasks import cancel
from catenary.v1.worker_service_pb2 import ReplicaState, WatchSnapshotsRequest
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub

HERE = Path(__file__).parent
NUM_LONG, NUM_SHORT = 8, 4
PROMPT_TOKENS, SHORT_TOKENS = 128, 32
LONG_DEADLINE_S = 120.0
AWAKE = "AWAKE"


class States:
    """When each replica entered each state, seconds of time.monotonic()."""

    def __init__(self, stub: WorkerServiceStub) -> None:
        self._stub = stub
        self.newest: dict[str, str] = {}
        self.changes: list[tuple[float, str, str]] = []

    async def follow(self) -> None:
        async for response in self._stub.WatchSnapshots(WatchSnapshotsRequest(watcher_id="loadtest")):
            for replica in response.snapshot.replicas:
                state = ReplicaState.Name(replica.state).removeprefix("REPLICA_STATE_")
                if self.newest.get(replica.model) != state:
                    self.newest[replica.model] = state
                    self.changes.append((time.monotonic(), replica.model, state))

    def awake(self) -> str | None:
        return next((model for model, state in self.newest.items() if state == AWAKE), None)

    def left_awake(self, model: str, since: float) -> float | None:
        return next((at for at, name, state in self.changes if at > since and name == model and state != AWAKE), None)

    def woke(self, model: str, since: float) -> float | None:
        return next((at for at, name, state in self.changes if at > since and (name, state) == (model, AWAKE)), None)


@asynccontextmanager
async def followed(stub: WorkerServiceStub) -> AsyncIterator[States]:
    states = States(stub)
    task = asyncio.create_task(states.follow(), name="snapshots")
    try:
        yield states
    finally:
        await cancel(task)


async def settled(states: States, timeout_s: float) -> str:
    """The model that has been awake for two seconds."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = states.awake()
            await asyncio.sleep(2.0)
            if found is not None and states.awake() == found and time.monotonic() - states.changes[-1][0] > 2.0:
                return found


async def one_switch(
    client: Client, states: States, models: list[str], prompts: Prompts, args: argparse.Namespace
) -> dict[str, Any]:
    home = await settled(states, args.timeout)
    guest = next(model for model in models if model != home)
    long = [
        asyncio.create_task(run_call(client, home, prompts.text(PROMPT_TOKENS), args.tokens, LONG_DEADLINE_S))
        for _ in range(NUM_LONG)
    ]
    await asyncio.sleep(args.before)
    sent = time.monotonic()
    short = await asyncio.gather(
        *(run_call(client, guest, prompts.text(PROMPT_TOKENS), SHORT_TOKENS, args.deadline) for _ in range(NUM_SHORT))
    )
    seen = await asyncio.gather(*long)
    return row(states, home, guest, sent, short, seen, args.tokens)


def row(
    states: States, home: str, guest: str, sent: float, short: list[Seen], long: list[Seen], tokens: int
) -> dict[str, Any]:
    decided, woke = states.left_awake(home, sent), states.woke(guest, sent)
    firsts = [one.first for one in short if one.first]
    first = min(firsts, default=None)
    return {
        "home": home,
        "guest": guest,
        "sent_to_decision_s": decided - sent if decided else None,
        "decision_to_awake_s": woke - decided if woke and decided else None,
        "decision_to_first_token_s": first - decided if first and decided else None,
        "last_first_token_s": max(firsts) - decided if firsts and decided else None,
        "short_outcomes": sorted({one.outcome for one in short}),
        "short_met": sum(one.met for one in short),
        "long_succeeded": sum(one.outcome == "SUCCEEDED" for one in long),
        "long_whole": sum(one.tokens == tokens and not one.restarts for one in long),
        "longest_gap_s": max(one.longest_gap_s for one in long),
        "long_e2e_s": max(one.end - one.submit for one in long),
        "changes": [(round(at - sent, 4), model, state) for at, model, state in states.changes if at > sent],
    }


async def provisioned(args: argparse.Namespace) -> None:
    config = load_config(args.config)
    plan = await wait_ready(args.config, args.timeout)
    worker = config.workers[0]
    prompts = Prompts(Path(config.models[worker.models[0]].source), seed=29)
    rows: list[dict[str, Any]] = []
    async with (
        channel(worker_address(plan, config)) as connection,
        Client(config.gateway.address) as client,
        followed(WorkerServiceStub(connection)) as states,
    ):
        for number in range(args.rounds):
            rows.append({"round": number} | await one_switch(client, states, list(worker.models), prompts, args))
            write_rows(args.out / "provisioned-switch.jsonl", rows)
    shown = [name for name in rows[0] if name not in ("changes", "last_first_token_s", "long_e2e_s")]
    print_table("switches by the provisioner", [{name: one[name] for name in shown} for one in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=HERE / "one_awake.cluster.yaml")
    parser.add_argument("--out", type=Path, default=Path("loadtest/out/gpu"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=700)
    parser.add_argument("--before", type=float, default=0.7, help="seconds between the long calls and the short ones")
    parser.add_argument("--deadline", type=float, default=3.0, help="of the short calls, seconds")
    parser.add_argument("--timeout", type=float, default=240.0)
    asyncio.run(provisioned(parser.parse_args()))


if __name__ == "__main__":
    main()
