"""Where the time to the first token goes: hop by hop through Catenary, beside the same engine in this process.

    python loadtest/gpu/hops.py [--config FILE] [--out FOLDER] [--sequences 1 16 64] [--rounds 5] [--gap 0.05]

As loadtest/gpu/overhead.py: prompts of 128 tokens, 128 tokens of each, the same four client processes. In one pattern n
calls come at once, in the other each comes ``--gap`` seconds after the one before it, so that as many are under way
when it comes as the engine needs for one. The services mark the time where a run passes from one to the next
(loadtest/gpu/marks), the engine marks when it takes a call in, schedules it and has its first token.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cluster import wait_ready
from overhead_clients import Clients
from overhead_engines import children, engine_settings, start_in_process
from overhead_ways import TOKENS, Asked, Timed, in_process_marked
from prompts import Prompts
from rows import print_table, write_rows

from catenary.runtime.config import load_config

HERE = Path(__file__).parent
START_TIMEOUT_S = 330.0
SETTLE_S = 1.5
Marks = dict[tuple[str, str, str], float]
SENT, SEEN = "client sends", "client has a token"
ENGINE_TIMES = {
    "queued_ts": "engine takes it in",
    "scheduled_ts": "engine schedules it",
    "first_token_ts": "engine has a token",
}


def asked(pattern: str, count: int, number: int, gap_s: float, prompts: Prompts) -> list[Asked]:
    step_s = 0.0 if pattern == "together" else gap_s
    return [
        Asked(prompts.text(TOKENS), at_s=n * step_s, run_id=f"{pattern}-{count}-{number}-{n}") for n in range(count)
    ]


def client_marks(calls: list[Asked], timed: Iterable[Timed]) -> list[tuple[str, str, float]]:
    pairs = list(zip(calls, timed, strict=True))
    return [(SENT, c.run_id, t.submit) for c, t in pairs] + [(SEEN, c.run_id, t.first) for c, t in pairs]


async def rounds(args: argparse.Namespace, model: str, address: str, llm: Any, clients: Clients, folder: Path) -> Marks:
    """Marks by (way, run id, place)."""
    found: Marks = {}
    prompts = Prompts(folder, seed=37)
    patterns = [("together", count) for count in args.sequences] + [("apart", args.apart)]
    for pattern, count in patterns:
        for number in range(args.rounds + 1):
            calls = asked(pattern, count, number, args.gap, prompts)
            for place, run_id, at in client_marks(calls, await clients.round("catenary", address, model, calls)):
                found["catenary", run_id, place] = at
            if llm is None:
                continue
            calls = asked(pattern, count, number, args.gap, prompts)
            served = await in_process_marked(llm, calls)
            for place, run_id, at in client_marks(calls, (timed for timed, _ in served)):
                found["in-process", run_id, place] = at
            for call, (_, times) in zip(calls, served, strict=True):
                for name, place in ENGINE_TIMES.items():
                    found["in-process", call.run_id, place] = getattr(times, name)
    return found


def service_marks(folder: Path) -> Marks:
    """Of all processes; call ids begin with the run's."""
    return {
        ("catenary", one.partition("/")[0], place): at
        for file in folder.glob("*.jsonl")
        for place, one, at in map(json.loads, file.read_text().splitlines())
    }


def table(marks: Marks) -> list[dict[str, Any]]:
    """Per pattern, way and place in order of time: mean ms since the client sent, ms since the place before it, and how
    far the calls of a round are apart there (median of the rounds). The first round is a warm-up."""
    sent = {(way, run): at for (way, run, place), at in marks.items() if place == SENT}
    since: dict[tuple[str, int, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    points: dict[tuple[str, int, str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (way, run, place), at in marks.items():
        pattern, count, number, _ = run.split("-") if (way, run) in sent else ("", "0", "0", "")
        if number != "0":
            since[pattern, int(count), way][place].append(at - sent[way, run])
            points[pattern, int(count), way, place][number].append(at)
    rows = []
    for (pattern, count, way), places in sorted(since.items()):
        before_ms = 0.0
        for place, gaps in sorted(places.items(), key=lambda item: statistics.mean(item[1])):
            mean_ms = statistics.mean(gaps) * 1e3
            spread = [max(found) - min(found) for found in points[pattern, count, way, place].values()]
            rows.append(
                {
                    "arrival": pattern,
                    "calls": count,
                    "way": way,
                    "place": place,
                    "mean_ms": mean_ms,
                    "median_ms": statistics.median(gaps) * 1e3,
                    "step_ms": mean_ms - before_ms,
                    "spread_ms": statistics.median(spread) * 1e3,
                    "n": len(gaps),
                }
            )
            before_ms = mean_ms
    return rows


async def hops(args: argparse.Namespace) -> None:
    config = load_config(args.config)
    model = config.workers[0].models[0]
    settings, folder = engine_settings(config, model), Path(config.models[model].source)
    args.work.mkdir(parents=True, exist_ok=True)
    marks_folder = args.work / f"marks-{os.getpid()}"
    own = os.environ.copy()
    os.environ["CATENARY_MARKS"] = str(marks_folder)
    os.environ["PYTHONPATH"] = f"{HERE / 'marks'}{os.pathsep}{own.get('PYTHONPATH', '')}"
    clients = Clients()
    with children(args, settings, folder):
        began = time.monotonic()
        build = start_in_process if "in-process" in args.ways else lambda *_: None
        building = asyncio.create_task(asyncio.to_thread(build, settings, folder, args.work))
        await wait_ready(args.config, START_TIMEOUT_S)
        llm = await building
        print(f"all engines ready after {time.monotonic() - began:.0f} s", flush=True)
        marks = await rounds(args, model, config.gateway.address, llm, clients, folder)
        await asyncio.sleep(SETTLE_S)
        if llm is not None:
            llm.shutdown()
    clients.close()
    marks |= service_marks(marks_folder)
    rows = table(marks)
    write_rows(args.out / "hops.jsonl", rows)
    raw = [{"way": way, "run": run, "place": place, "at_s": at} for (way, run, place), at in sorted(marks.items())]
    write_rows(args.out / "hops-marks.jsonl", raw)
    for pattern, count, way in dict.fromkeys((row["arrival"], row["calls"], row["way"]) for row in rows):
        mine = [row for row in rows if (row["arrival"], row["calls"], row["way"]) == (pattern, count, way)]
        hidden = ("arrival", "calls", "way")
        print_table(
            f"{way}, {count} calls {pattern}", [{k: v for k, v in row.items() if k not in hidden} for row in mine]
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=HERE / "overhead.cluster.yaml")
    parser.add_argument("--out", type=Path, default=Path("loadtest/out/gpu"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/catenary-hops"))
    parser.add_argument("--sequences", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--apart", type=int, default=48, help="calls of a round in which they come one by one")
    parser.add_argument("--gap", type=float, default=0.05, help="seconds between those")
    parser.add_argument("--ways", nargs="+", default=["in-process", "catenary"])
    asyncio.run(hops(parser.parse_args()))


if __name__ == "__main__":
    main()
