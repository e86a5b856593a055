"""Throughput, TTFT and TPOT through Catenary, on the same engine in this process, and through ``vllm serve``.

    python loadtest/gpu/overhead.py [--config FILE] [--out FOLDER] [--sequences 1 16 64 256] [--rounds 5]
        [--gateways 4] [--steady 5] [--hop-rounds 5]

Three engines with the same arguments sit on one accelerator, one busy at a time: the one of a Catenary cluster, one in
this process, one of ``vllm serve``. A round sends n prompts of 128 tokens at once and waits for 128 greedy tokens of
each. Catenary and ``vllm serve`` are driven over the network by the same client processes, with streaming; the rounds
of the ways take turns. ``catenary`` is the first gateway alone, ``gateways`` are all that ``--gateways`` asks for. With
``--steady`` further rounds keep n calls under way for so many seconds (overhead_steady.py). With ``--hop-rounds`` the
way to the first token is then measured hop by hop (hops.py).
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from cluster import wait_ready, worker_address
from hops import measure_hops
from overhead_clients import Clients, Work
from overhead_engines import SERVE_PORT, children, engine_settings, marks_folder, serve_ready, start_in_process
from overhead_steady import SteadyWay, measure_steady
from overhead_ways import TOKENS, Asked, Timed, in_process, steady, through_worker, together
from prompts import Prompts
from rows import print_table, write_rows

from catenary.runtime.config import Config, load_config
from catenary.runtime.config.gateway import GATEWAY_PORT_STEP
from catenary.runtime.rpc import channel

HERE = Path(__file__).parent
START_TIMEOUT_S = 330.0
MOST_HOP_CALLS = 64
SHOWN = ("tokens_per_s", "ttft_ms", "ttft_median_ms", "ttft_min_ms", "tpot_ms", "ready_ms", "gateway_first_ms")
Way = Callable[[list[Asked]], Awaitable[list[Timed]]]
ORDER = ("in-process", "worker", "catenary", "gateways", "serve")


def figures(way: str, count: int, number: int, calls: list[Timed]) -> dict[str, Any]:
    tokens = sum(call.tokens for call in calls)
    took = max(call.end for call in calls) - min(call.submit for call in calls)
    ttft = sorted(call.first - call.submit for call in calls)
    return {
        "way": way,
        "sequences": count,
        "round": number,
        "tokens": tokens,
        "tokens_per_s": tokens / took,
        "ttft_ms": statistics.mean(ttft) * 1e3,
        "ttft_median_ms": statistics.median(ttft) * 1e3,
        "ttft_min_ms": ttft[0] * 1e3,
        "tpot_ms": statistics.mean((c.end - c.first) / (c.tokens - 1) for c in calls) * 1e3,
        "ready_ms": statistics.mean(call.ready_s for call in calls) * 1e3,
        "gateway_first_ms": statistics.mean(call.gateway_first_s for call in calls) * 1e3,
        "whole": sum(call.tokens == TOKENS for call in calls),
    }


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Medians of the rounds, and Catenary's throughput as a share of the others'."""
    table = []
    for count in sorted({row["sequences"] for row in rows}):
        rates: dict[str, float] = {}
        for way in ORDER:
            mine = [row for row in rows if row["sequences"] == count and row["way"] == way]
            if not mine:
                continue
            middle = {name: statistics.median(row[name] for row in mine) for name in SHOWN}
            rates[way] = middle["tokens_per_s"]
            share = middle["tokens_per_s"] / rates["in-process"] if "in-process" in rates else None
            table.append({"sequences": count, "way": way, "rounds": len(mine), **middle, "of_in_process": share})
    return table


async def measure(args: argparse.Namespace, ways: dict[str, Way], prompts: Prompts) -> list[dict[str, Any]]:
    """The rounds of all ways in turn; the first of each is a warm-up."""
    rows: list[dict[str, Any]] = []
    for count in args.sequences:
        for number in range(args.rounds + 1):
            for way in args.ways:
                calls = await ways[way]([Asked(prompts.text(TOKENS)) for _ in range(count)])
                if number:
                    rows.append(figures(way, count, number, calls))
        write_rows(args.out / "overhead.jsonl", rows)
        print_table(f"{count} sequences", [row for row in summary(rows) if row["sequences"] == count])
    return rows


async def overhead(args: argparse.Namespace) -> None:
    config = load_config(args.config)
    model = config.workers[0].models[0]
    settings, folder = engine_settings(config, model), Path(config.models[model].source)
    args.work.mkdir(parents=True, exist_ok=True)
    clients = Clients()
    with children(args, settings, folder):
        began = time.monotonic()
        build = start_in_process if "in-process" in args.ways else lambda *_: None
        building = asyncio.create_task(asyncio.to_thread(build, settings, folder, args.work, bool(args.hop_rounds)))
        plan = await wait_ready(args.config, START_TIMEOUT_S)
        if "serve" in args.ways:
            await serve_ready(START_TIMEOUT_S)
        llm = await building
        print(f"all engines ready after {time.monotonic() - began:.0f} s", flush=True)
        network = reached(config, args.gateways)
        async with channel(worker_address(plan, config)) as connection:
            ways = closed_ways(llm, clients, network, model)
            ways["worker"] = lambda asked: through_worker(connection, model, len(asked))
            rows = await measure(args, ways, Prompts(folder, seed=31))
        if args.steady:
            kept = steady_ways(llm, clients, network, model, args.steady)
            await measure_steady(args, kept, Prompts(folder, seed=41))
        if args.hop_rounds:
            await hops(args, ways, llm, folder)
        if llm is not None:
            llm.shutdown()
    clients.close()
    print_table(f"{TOKENS} + {TOKENS} tokens, arriving together; medians of {args.rounds} rounds", summary(rows))


def reached(config: Config, gateways: int) -> dict[str, tuple[str, tuple[str, ...]]]:
    """By way: what the clients speak, and the addresses."""
    host, _, port = config.gateway.address.rpartition(":")
    addresses = tuple(f"{host}:{int(port) + GATEWAY_PORT_STEP * number}" for number in range(gateways))
    return {
        "catenary": ("catenary", addresses[:1]),
        "gateways": ("catenary", addresses),
        "serve": ("serve", (f"127.0.0.1:{SERVE_PORT}",)),
    }


def closed_ways(llm: Any, clients: Clients, network: Mapping[str, Any], model: str) -> dict[str, Way]:
    async def over(name: str, asked: list[Asked]) -> list[Timed]:
        return await clients.together(Work(*network[name], model, asked))

    found: dict[str, Way] = {name: functools.partial(over, name) for name in network}
    if llm is not None:
        found["in-process"] = functools.partial(together, in_process(llm, TOKENS, {}))
    return found


def steady_ways(
    llm: Any, clients: Clients, network: Mapping[str, Any], model: str, seconds: float
) -> dict[str, SteadyWay]:
    async def over(name: str, asked: list[Asked], lanes: int) -> list[Timed]:
        return await clients.steady(Work(*network[name], model, asked, TOKENS, lanes, seconds))

    async def own(asked: list[Asked], lanes: int) -> list[Timed]:
        return await steady(in_process(llm, TOKENS, {}), asked, lanes, seconds)

    found: dict[str, SteadyWay] = {name: functools.partial(over, name) for name in network}
    return found | ({"in-process": own} if llm is not None else {})


async def hops(args: argparse.Namespace, ways: Mapping[str, Way], llm: Any, folder: Path) -> None:
    async def over(name: str, asked: list[Asked]) -> list[tuple[Timed, Any]]:
        return [(timed, None) for timed in await ways[name](asked)]

    async def own(asked: list[Asked]) -> list[tuple[Timed, Any]]:
        times: dict[str, Any] = {}
        timed = await together(in_process(llm, TOKENS, times), asked)
        return [(one, times[call.run_id]) for one, call in zip(timed, asked, strict=True)]

    name = "gateways" if "gateways" in args.ways else "catenary"
    found: dict[str, Any] = {"catenary": functools.partial(over, name)} | ({"in-process": own} if llm else {})
    sequences = [count for count in args.sequences if count <= MOST_HOP_CALLS]
    await measure_hops(args.hop_rounds, sequences, found, Prompts(folder, seed=37), marks_folder(args.work), args.out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=HERE / "overhead.cluster.yaml")
    parser.add_argument("--out", type=Path, default=Path("loadtest/out/gpu"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/catenary-overhead"))
    parser.add_argument("--sequences", type=int, nargs="+", default=[1, 16, 64, 256])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--gateways", type=int, default=1, help="how many of them the cluster has")
    parser.add_argument("--steady", type=float, default=0.0, metavar="SECONDS", help="of calls kept under way")
    parser.add_argument("--steady-rounds", type=int, default=2)
    parser.add_argument("--hop-rounds", type=int, default=0)
    parser.add_argument("--ways", nargs="+", choices=ORDER, default=["in-process", "catenary", "serve", "worker"])
    asyncio.run(overhead(parser.parse_args()))


if __name__ == "__main__":
    main()
