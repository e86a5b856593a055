"""Where the time to the first token goes: hop by hop through Catenary, beside the same engine in this process.

What ``loadtest/gpu/overhead.py --hop-rounds N`` measures after its rounds, with the same prompts, engines and client
processes. In one pattern n calls come at once, in the other one every 50 ms, so that about 16 are under way. The
services mark the time where a run passes from one to the next (loadtest/gpu/marks); the engine marks when it takes a
call in, schedules it and has its first token.
"""

from __future__ import annotations

import asyncio
import json
import statistics
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from overhead_ways import TOKENS, Asked, Timed
from prompts import Prompts
from rows import print_table, write_rows

SETTLE_S = 1.5
APART, GAP_S = 48, 0.05
ON = "on"
Marks = dict[tuple[str, str, str], float]
"""Seconds of time.monotonic() by (way, run id, place)."""
HopWays = Mapping[str, Callable[[list[Asked]], Awaitable[list[tuple[Timed, Any]]]]]
"""Each drives calls, and gives their times and those of the engine where it has them."""
SENT, SEEN = "client sends", "client has a token"
ENGINE_TIMES = {
    "queued_ts": "engine takes it in",
    "scheduled_ts": "engine schedules it",
    "first_token_ts": "engine has a token",
}


def asked(pattern: str, count: int, number: int, prompts: Prompts) -> list[Asked]:
    gap_s = 0.0 if pattern == "together" else GAP_S
    return [Asked(prompts.text(TOKENS), n * gap_s, f"{pattern}-{count}-{number}-{n}") for n in range(count)]


def client_marks(way: str, call: Asked, timed: Timed) -> Marks:
    return {(way, call.run_id, SENT): timed.submit, (way, call.run_id, SEEN): timed.first}


def engine_marks(way: str, call: Asked, times: Any) -> Marks:
    return {(way, call.run_id, place): getattr(times, name) for name, place in ENGINE_TIMES.items()}


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


async def measure_hops(
    rounds: int, sequences: list[int], ways: HopWays, prompts: Prompts, folder: Path, out: Path
) -> None:
    """Prints and writes where the time to the first token goes; the services write their marks to ``folder``."""
    switch = folder / ON
    switch.touch()
    await asyncio.sleep(SETTLE_S)
    marks = await _rounds(rounds, sequences, ways, prompts)
    switch.unlink()
    await asyncio.sleep(SETTLE_S)
    rows = table(marks | service_marks(folder))
    write_rows(out / "hops.jsonl", rows)
    for title in dict.fromkeys(_title(row) for row in rows):
        mine = [row for row in rows if _title(row) == title]
        print_table(title, [{k: v for k, v in row.items() if k not in ("arrival", "calls", "way")} for row in mine])


def _title(row: dict[str, Any]) -> str:
    return f"{row['way']}, {row['calls']} calls {row['arrival']}"


async def _rounds(rounds: int, sequences: list[int], ways: HopWays, prompts: Prompts) -> Marks:
    """Marks of the clients and of the engine in this process. A first round of each is a warm-up."""
    found: Marks = {}
    patterns = [("together", count) for count in sequences] + [("apart", APART)]
    for pattern, count in patterns:
        for number in range(rounds + 1):
            for way, drive in ways.items():
                calls = asked(pattern, count, number, prompts)
                for call, (timed, times) in zip(calls, await drive(calls), strict=True):
                    found |= client_marks(way, call, timed)
                    found |= engine_marks(way, call, times) if times is not None else {}
    return found
