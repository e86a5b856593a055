"""What an overload does: memory, admitted runs, refusals, and the time until things are as before.

    python loadtest/overload.py [--minutes 10] [--factor 3] [--clients 2000] [--slow-readers 50] [--slower 1]

Starts its own cluster from config/overload.yaml (all services as processes, emulated engines) and connects
``--clients`` clients, each over a connection of its own. Runs are chains of two calls of 20 tokens with a deadline of
4 s; they arrive by a Poisson process at 0.7 times what the seats can do for a minute, at ``--factor`` times for
``--minutes``, then at 0.7 times for a minute again. The slow readers ask for tokens and read a message every
``--read-every-s`` seconds; they are not in the rates and latencies. A ``--slower`` of 5 makes engines and deadlines
five times slower and arrivals as much rarer: the engines are overloaded and a small machine is not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import grpc
import psutil

from catenary.runtime.cluster import Cluster
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import gateway_service_pb2_grpc as rpc
from catenary.v1 import run_pb2, workflow_pb2

CONFIG = Path(__file__).parent.parent / "config" / "overload.yaml"
PROFILE = Path(__file__).parent.parent / "profiles" / "emulated" / "paced.json"
TOKENS, TOKEN_S, CALLS, SEATS = 20, 0.02, 2, 16
RUNS_PER_S = SEATS / (CALLS * TOKENS * TOKEN_S)
DEADLINE_S = 4.0
GIVE_UP = 7.5
CALM_S, CALM = 60.0, 0.7
READ_EVERY_S = 1.0
CONNECT_AT_ONCE = 100
OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]


@dataclass(frozen=True, slots=True)
class Seen:
    """One submission as its client saw it. ``outcome`` is the run's, or the status of a refused request."""

    at_s: float
    took_s: float
    outcome: str
    met: bool
    admitted: bool
    slow: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One phase, without the slow readers. Latencies in seconds; ``other``: outcomes but SUCCEEDED of admitted runs."""

    phase: str
    per_s: float
    submitted: int
    admitted: int
    met: float
    refused: dict[str, int]
    other: dict[str, int]
    p50_s: float
    p99_s: float
    refusal_p99_s: float


@dataclass(slots=True)
class Load:
    slower: float
    began: float = field(default_factory=time.monotonic)
    seen: list[Seen] = field(default_factory=list)
    memory: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def clock(self) -> float:
        return time.monotonic() - self.began

    @property
    def runs_per_s(self) -> float:
        return RUNS_PER_S / self.slower

    @property
    def deadline_s(self) -> float:
        return DEADLINE_S * self.slower


def chain(deadline_s: float) -> workflow_pb2.Workflow:
    workflow = workflow_pb2.Workflow(name="paced")
    workflow.slo.deadline.FromMilliseconds(round(1_000 * deadline_s))
    for number in range(CALLS):
        call = workflow.calls.add(name=f"c{number}")
        call.model.model = "paced"
        call.model.prompt = "say something" if number == 0 else f"repeat {{{{ c{number - 1}.text }}}}"
        call.model.sampling.max_tokens = TOKENS
        call.model.sampling.ignore_eos = True
    workflow.output = f"{{{{ c{CALLS - 1}.text }}}}"
    return workflow


async def one(load: Load, stub: rpc.GatewayServiceStub, spec: workflow_pb2.Workflow, pause_s: float) -> None:
    """A run of a client that reads no message for ``pause_s`` after each; 0: a prompt reader, who wants no tokens. Each
    token may be a message of its own, for which a slow reader has twice its time."""
    began = load.clock()
    outcome, met, admitted = "UNFINISHED", False, False
    try:
        async with asyncio.timeout(GIVE_UP * load.deadline_s + 2 * CALLS * TOKENS * pause_s):
            async for response in stub.SubmitWorkflow(
                pb.SubmitWorkflowRequest(workflow=spec, stream_tokens=pause_s > 0)
            ):
                for event in response.events:
                    admitted |= event.HasField("run_admitted")
                    if event.HasField("run_finished"):
                        outcome = run_pb2.Outcome.Name(event.run_finished.outcome).removeprefix("OUTCOME_")
                        met = event.run_finished.met
                    elif event.HasField("run_refused"):
                        outcome = run_pb2.Outcome.Name(event.run_refused.outcome).removeprefix("OUTCOME_")
                await asyncio.sleep(pause_s)
    except grpc.aio.AioRpcError as error:
        outcome = error.code().name
    except TimeoutError:
        outcome = "NO_ANSWER"
    load.seen.append(Seen(began, load.clock() - began, outcome, met, admitted, pause_s > 0))


async def arrive(
    load: Load, stubs: list[rpc.GatewayServiceStub], pauses: list[float], per_s: float, seconds: float
) -> None:
    """Each arrival at a client drawn by chance, which makes its pauses."""
    rng, spec = random.Random(round(per_s * 1000)), chain(load.deadline_s)
    at, end = load.clock(), load.clock() + seconds
    while (at := at + rng.expovariate(per_s)) < end:
        await asyncio.sleep(max(0.0, at - load.clock()))
        number = rng.randrange(len(stubs))
        task = asyncio.create_task(one(load, stubs[number], spec, pauses[number]))
        load.tasks.add(task)
        task.add_done_callback(load.tasks.discard)


async def measure(load: Load, cluster: Cluster) -> None:
    """Resident memory in MB of each process, every two seconds."""
    plan = await cluster.plan()
    pids = {"store": cluster.store_pid, **cluster.pids}
    pids |= {worker.worker_id: worker.pid for worker in plan.workers} if plan is not None else {}
    processes = {name: psutil.Process(pid) for name, pid in pids.items()}
    while True:
        load.memory.append((load.clock(), {name: p.memory_info().rss / 1e6 for name, p in processes.items()}))
        await asyncio.sleep(2.0)


async def connected(address: str, num: int) -> tuple[list[grpc.aio.Channel], list[rpc.GatewayServiceStub]]:
    channels = [grpc.aio.insecure_channel(address, options=OPTIONS) for _ in range(num)]
    for first in range(0, num, CONNECT_AT_ONCE):
        await asyncio.gather(*(channel.channel_ready() for channel in channels[first : first + CONNECT_AT_ONCE]))
    return channels, [rpc.GatewayServiceStub(channel) for channel in channels]


def row(load: Load, phase: str, begin: float, end: float) -> Row:
    seen = [one for one in load.seen if begin <= one.at_s < end and not one.slow]
    admitted = [one for one in seen if one.admitted]
    prompt = sorted(one.took_s for one in admitted) or [0.0]
    refused = [one for one in seen if one.outcome.startswith("REJECTED")]
    return Row(
        phase=phase,
        per_s=len(seen) / (end - begin),
        submitted=len(seen),
        admitted=len(admitted),
        met=sum(one.met for one in admitted) / max(1, len(admitted)),
        refused=dict(Counter(one.outcome for one in refused)),
        other=dict(Counter(one.outcome for one in seen if one not in refused and one.outcome != "SUCCEEDED")),
        p50_s=statistics.median(prompt),
        p99_s=p99(prompt),
        refusal_p99_s=p99(sorted(one.took_s for one in refused)),
    )


def p99(values: list[float]) -> float:
    return values[round(0.99 * (len(values) - 1))] if values else 0.0


def recovery_s(load: Load, end: float) -> float:
    """From the end of the overload to the submission of the last run that was refused or missed."""
    return max((one.at_s - end for one in load.seen if one.at_s >= end and not (one.met or one.slow)), default=0.0)


def slowed(folder: Path, slower: float) -> Path:
    """The configuration with its store and a profile of slower engines in ``folder``."""
    profile = json.loads(PROFILE.read_text())
    (folder / "paced.json").write_text(json.dumps({**profile, "step_base_s": TOKEN_S * slower}))
    text = CONFIG.read_text().replace("../profiles/emulated/paced.json", f"{folder}/paced.json")
    config = folder / "overload.yaml"
    config.write_text(text.replace(".catenary/overload/store", f"{folder}/store"))
    return config


async def overload(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = slowed(Path(folder), args.slower)
        async with Cluster(config) as cluster:
            channels, stubs = await connected(cluster.addresses.gateway, args.clients)
            pauses = [args.read_every_s * (number < args.slow_readers) for number in range(args.clients)]
            load = Load(args.slower)
            measuring = asyncio.create_task(measure(load, cluster))
            marks = [0.0]
            for factor, seconds in ((CALM, args.calm_s), (args.factor, 60 * args.minutes), (CALM, args.calm_s)):
                await arrive(load, stubs, pauses, factor * load.runs_per_s, seconds)
                marks.append(load.clock())
            while load.tasks:
                await asyncio.wait(load.tasks)
            measuring.cancel()
            await asyncio.gather(*(channel.close() for channel in channels))
    report(load, marks, args.json)


def report(load: Load, marks: list[float], path: Path | None) -> None:
    names = ("before", "overload", "after")
    rows = [row(load, name, *marks[number : number + 2]) for number, name in enumerate(names)]
    recovered = recovery_s(load, marks[2])
    if path is not None:
        found = {"rows": [asdict(row) for row in rows], "recovery_s": recovered, "memory_mb": load.memory}
        path.write_text(json.dumps(found) + "\n")
    print(f"capacity {load.runs_per_s:.1f} runs/s by seats; deadline {load.deadline_s:g} s")
    print(f"{'phase':9} {'runs/s':>7} {'submitted':>9} {'admitted':>8} {'met':>6} {'p50':>6} {'p99':>6} {'no p99':>6}")
    for line in rows:
        print(
            f"{line.phase:9} {line.per_s:7.1f} {line.submitted:9} {line.admitted:8} {line.met:6.1%} {line.p50_s:6.2f} "
            f"{line.p99_s:6.2f} {line.refusal_p99_s:6.3f}  {line.refused} {line.other}"
        )
    print(f"last run refused or late {recovered:.1f} s after the overload ended")
    slow = Counter(one.outcome for one in load.seen if one.slow)
    print(f"slow readers: {dict(slow)}")
    print("memory, MB        " + "".join(f"{name:>16}" for name in load.memory[0][1]))
    thirds = [marks[1] + part * (marks[2] - marks[1]) / 3 for part in range(4)]
    for name, moment in zip(("before overload", "a third of it", "two thirds", "its end"), thirds, strict=True):
        print(f"{name:18}" + "".join(f"{size:16.1f}" for size in nearest(load, moment).values()))


def nearest(load: Load, at_s: float) -> dict[str, float]:
    return min(load.memory, key=lambda sample: abs(sample[0] - at_s))[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--factor", type=float, default=3.0)
    parser.add_argument("--clients", type=int, default=2_000)
    parser.add_argument("--slow-readers", type=int, default=50)
    parser.add_argument("--calm-s", type=float, default=CALM_S)
    parser.add_argument("--read-every-s", type=float, default=READ_EVERY_S)
    parser.add_argument("--slower", type=float, default=1.0)
    parser.add_argument("--json", type=Path, help="write everything measured there")
    asyncio.run(overload(parser.parse_args()))


if __name__ == "__main__":
    main()
