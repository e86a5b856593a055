"""Overhead of a three-call chain on an engine that takes no time, durable writes and token streaming on.

    python loadtest/overhead.py [--seconds 5] [--repeats 5] [--clients 1 16 64] [--calls 3] [--gateways 1] [--json]
    python loadtest/overhead.py --profile profiles/llama-8b-shape--nvidia-h100-80gb-hbm3.json --tokens 128 --calls 1

Starts its own cluster from config/noop.yaml (all services as processes, embedded Valkey), drives it from one asyncio
process through plain gRPC stubs in a closed loop, and prints the median of the repeats. Proof that nothing is switched
off: streamed tokens and store writes are counted and printed. ``--stores durable memory`` alternates between the
append-only file and none on one server: the difference is what durability costs. See docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import grpc.aio
import psutil
import yaml

from catenary.runtime.cluster import Cluster
from catenary.runtime.store.connection import connect
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import gateway_service_pb2_grpc as rpc
from catenary.v1 import run_pb2, workflow_pb2

ROOT = Path(__file__).parent.parent
CONFIG, NO_TIME = ROOT / "config" / "noop.yaml", ROOT / "profiles" / "emulated" / "noop.json"
WARM_UP_S = 1.0
REWRITE_POLLS = 200
DURABLE, MEMORY = "durable", "memory"
SERVICES = (
    "catenary_gateway",
    "catenary_router",
    "catenary_worker",
    "catenary_profiler",
    "catenary_provisioner",
    "valkey-server",
)


@dataclass(slots=True)
class Tally:
    """Chain latencies in seconds, and what the client saw of them."""

    latencies: list[float] = field(default_factory=list)
    token_events: int = 0
    tokens: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    clients: int
    calls: int
    per_s: float
    p50_ms: float
    p99_ms: float
    token_events_per_run: float
    store_commands_per_run: float
    cpu_ms_per_run: dict[str, float]
    rss_mb: float
    rss_mb_by_service: dict[str, float]
    store: str = DURABLE
    tokens_per_run: float = 0.0


def chain(calls: int, tokens: int = 4) -> workflow_pb2.Workflow:
    workflow = workflow_pb2.Workflow(name=f"noop-{calls}")
    workflow.slo.deadline.FromSeconds(60)
    workflow.inputs["article"] = workflow_pb2.INPUT_TYPE_STRING
    for number in range(calls):
        source = "inputs.article" if number == 0 else f"c{number - 1}.text"
        call = workflow.calls.add(name=f"c{number}")
        call.model.model = "noop"
        call.model.prompt = f"#out={tokens} step {number}: {{{{ {source} }}}}"
        call.model.sampling.max_tokens = tokens
    workflow.output = f"{{{{ c{calls - 1}.text }}}}"
    return workflow


async def client(stub: rpc.GatewayServiceStub, workflow: workflow_pb2.Workflow, until: float, tally: Tally) -> None:
    request = pb.SubmitWorkflowRequest(workflow=workflow, stream_tokens=True)
    request.inputs["article"] = " ".join(f"word{number}" for number in range(64))
    while time.monotonic() < until:
        began = time.monotonic()
        outcome = run_pb2.OUTCOME_UNSPECIFIED
        async for response in stub.SubmitWorkflow(request):
            for event in response.events:
                kind = event.WhichOneof("event")
                if kind == "call_tokens":
                    tally.token_events += 1
                    tally.tokens += event.call_tokens.num_tokens
                elif kind == "run_finished":
                    outcome = event.run_finished.outcome
        tally.latencies.append(time.monotonic() - began)
        tally.failures += outcome != run_pb2.OUTCOME_SUCCEEDED


async def drive(addresses: Sequence[str], clients: int, workflow: workflow_pb2.Workflow, seconds: float) -> Tally:
    """The clients are spread over the gateways and come by TCP, as other systems' clients do."""
    async with contextlib.AsyncExitStack() as stack:
        channels = [grpc.aio.insecure_channel(address) for address in addresses]
        connections = [await stack.enter_async_context(channel) for channel in channels]
        stubs = itertools.cycle([rpc.GatewayServiceStub(connection) for connection in connections])
        tally = Tally()
        until = time.monotonic() + seconds
        await asyncio.gather(*(client(next(stubs), workflow, until, tally) for _ in range(clients)))
    return tally


async def commands_processed(store_url: str) -> int:
    redis = connect(store_url)
    info = await redis.info("stats")
    await redis.aclose()
    return int(info["total_commands_processed"])


async def keep_in(store: str, store_url: str) -> None:
    """Write to the append-only file, or nowhere. Returns once the file holds what is there."""
    redis = connect(store_url)
    await redis.config_set("appendonly", "yes" if store == DURABLE else "no")
    for _ in range(REWRITE_POLLS):
        if not (await redis.info("persistence"))["aof_rewrite_in_progress"]:
            break
        await asyncio.sleep(0.05)
    await redis.aclose()


def processes() -> dict[str, list[psutil.Process]]:
    """The cluster's processes by service, and the load generator itself."""
    found = defaultdict(list, client=[psutil.Process(os.getpid())])
    for process in psutil.Process(os.getpid()).children(recursive=True):
        words = " ".join(process.cmdline())
        for name in SERVICES:
            if name in words:
                found[name.removeprefix("catenary_")].append(process)
    return found


def cpu_s(family: dict[str, list[psutil.Process]]) -> dict[str, float]:
    times = {name: [process.cpu_times() for process in members] for name, members in family.items()}
    return {name: sum(used.user + used.system for used in found) for name, found in times.items()}


def resident_mb(family: dict[str, list[psutil.Process]]) -> dict[str, float]:
    return {
        name: sum(process.memory_info().rss for process in members) / 2**20
        for name, members in family.items()
        if name != "client"
    }


async def measure(cluster: Cluster, store: str, clients: int, workflow: workflow_pb2.Workflow, seconds: float) -> Row:
    addresses = cluster.addresses.gateways
    await drive(addresses, clients, workflow, WARM_UP_S)
    family = processes()
    commands, cpu, began = await commands_processed(cluster.store_url), cpu_s(family), time.monotonic()
    tally = await drive(addresses, clients, workflow, seconds)
    took = time.monotonic() - began
    runs = len(tally.latencies)
    rss_mb = resident_mb(family)
    if tally.failures:
        raise SystemExit(f"{tally.failures} of {runs} runs did not succeed")
    ordered = sorted(tally.latencies)
    return Row(
        clients=clients,
        calls=len(workflow.calls),
        per_s=runs / took,
        p50_ms=statistics.median(ordered) * 1e3,
        p99_ms=ordered[min(runs - 1, int(0.99 * runs))] * 1e3,
        token_events_per_run=tally.token_events / runs,
        store_commands_per_run=(await commands_processed(cluster.store_url) - commands) / runs,
        cpu_ms_per_run={name: (used - cpu[name]) * 1e3 / runs for name, used in cpu_s(family).items()},
        rss_mb=sum(rss_mb.values()),
        rss_mb_by_service=rss_mb,
        store=store,
        tokens_per_run=tally.tokens / runs,
    )


def median_row(rows: list[Row]) -> Row:
    values = {name: [getattr(row, name) for row in rows] for name in Row.__slots__}
    stores = values.pop("store")
    by_service = {name: _medians(values.pop(name)) for name in ("cpu_ms_per_run", "rss_mb_by_service")}
    medians = {name: statistics.median(found) for name, found in values.items()}
    return Row(**medians, **by_service, store=stores[0])


def _medians(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def config_with(profile: Path, folder: Path) -> Path:
    """The configuration with an emulated engine that takes the times of ``profile``, but none to start."""
    figures = json.loads(profile.read_text())
    (folder / "profile.json").write_text(json.dumps({**figures, "start_s": 0.0}))
    settings = yaml.safe_load(CONFIG.read_text())
    settings["models"]["noop"]["profile"] = "profile.json"
    path = folder / "cluster.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


async def run(args: argparse.Namespace) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="catenary-overhead-") as folder:
        os.environ["CATENARY_STORE__DATA_DIR"] = f"{folder}/store"
        os.environ["CATENARY_TELEMETRY__LOG_LEVEL"] = "warning"
        os.environ["CATENARY_GATEWAY__COUNT"] = str(args.gateways)
        workflow = chain(args.calls, args.tokens)
        async with Cluster(config_with(args.profile, Path(folder))) as cluster:
            rows: dict[tuple[int, str], list[Row]] = {(c, s): [] for c in args.clients for s in args.stores}
            for _ in range(args.repeats):
                for (clients, store), found in rows.items():
                    if len(args.stores) > 1 or store != DURABLE:
                        await keep_in(store, cluster.store_url)
                    found.append(await measure(cluster, store, clients, workflow, args.seconds))
    return [median_row(found) for found in rows.values()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--calls", type=int, default=3)
    parser.add_argument("--stores", nargs="+", choices=(DURABLE, MEMORY), default=[DURABLE])
    parser.add_argument("--tokens", type=int, default=4, help="output of each call")
    parser.add_argument("--profile", type=Path, default=NO_TIME, help="times of the emulated engine; default: none")
    parser.add_argument("--gateways", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = asyncio.run(run(args))
    if args.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print(
        f"{'clients':>7} {'store':>7} {'chains/s':>9} {'p50 ms':>8} {'p99 ms':>8} {'tokens':>7} {'store commands':>14}"
    )
    for row in rows:
        print(
            f"{row.clients:>7.0f} {row.store:>7} {row.per_s:>9.1f} {row.p50_ms:>8.2f} {row.p99_ms:>8.2f} "
            f"{row.tokens_per_run:>7.1f} {row.store_commands_per_run:>14.1f}"
        )
    for row in rows:
        parts = ", ".join(f"{name} {used:.2f}" for name, used in sorted(row.cpu_ms_per_run.items()))
        total = sum(row.cpu_ms_per_run.values())
        print(f"{row.clients:.0f} clients, {row.store}, processor time a run: {total:.2f} ms ({parts})")
    largest = max(rows, key=lambda row: row.rss_mb)
    parts = ", ".join(f"{name} {size:.0f}" for name, size in sorted(largest.rss_mb_by_service.items()))
    control_plane = largest.rss_mb - largest.rss_mb_by_service["worker"]
    print(f"resident memory: {largest.rss_mb:.0f} MB, without the worker {control_plane:.0f} MB ({parts})")


if __name__ == "__main__":
    main()
