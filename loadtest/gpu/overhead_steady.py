"""The same ways with n calls kept under way: what an engine at work gives, beside rounds that begin and end together.

Each call is followed by the next as soon as it ends; the first ones come apart, so that prompts join a batch that
decodes. What counts is what comes between the end of the ramp and the end of the phase. A call's tokens count as evenly
spread between its first and its last.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from overhead_ways import TOKENS, Asked, Timed
from prompts import Prompts
from rows import print_table, write_rows

SteadyWay = Callable[[list[Asked], int], Awaitable[list[Timed]]]
"""Calls to take, and how many of them are under way."""
SPREAD_S, RAMP_S = 2.0, 2.5
LEAST_CALL_S = 0.7
SHOWN = ("tokens_per_s", "ttft_ms", "ttft_p95_ms", "tpot_ms")


def asked(lanes: int, seconds: float, prompts: Prompts) -> list[Asked]:
    """Enough of them; the first ones spread, so that calls begin and end at all times."""
    count = lanes * (2 + int(seconds / LEAST_CALL_S))
    return [Asked(prompts.text(TOKENS), SPREAD_S * n / lanes if n < lanes else 0.0) for n in range(count)]


def tokens_between(call: Timed, since: float, until: float) -> float:
    """Of the call's tokens, those that came in this time."""
    if call.tokens < 2 or call.end <= call.first:
        return float(call.tokens) * (since <= call.first < until)
    share = (min(call.end, until) - max(call.first, since)) / (call.end - call.first)
    return call.tokens * max(0.0, share)


def figures(way: str, lanes: int, number: int, seconds: float, calls: list[Timed]) -> dict[str, Any]:
    began = min(call.submit for call in calls)
    since, until = began + RAMP_S, began + seconds
    ttft = sorted(call.first - call.submit for call in calls if since <= call.submit < until)
    return {
        "way": way,
        "sequences": lanes,
        "round": number,
        "calls": len(ttft),
        "tokens_per_s": sum(tokens_between(call, since, until) for call in calls) / (until - since),
        "ttft_ms": statistics.mean(ttft) * 1e3,
        "ttft_p95_ms": ttft[int(0.95 * (len(ttft) - 1))] * 1e3,
        "tpot_ms": statistics.mean((c.end - c.first) / (c.tokens - 1) for c in calls if c.submit >= since) * 1e3,
        "whole": sum(call.tokens == TOKENS for call in calls) == len(calls),
    }


def summary(rows: list[dict[str, Any]], order: list[str]) -> list[dict[str, Any]]:
    """Medians of the rounds, and the throughput as a share of the first way's."""
    table = []
    for lanes in sorted({row["sequences"] for row in rows}):
        base = 0.0
        for way in order:
            mine = [row for row in rows if (row["sequences"], row["way"]) == (lanes, way)]
            middle = {name: statistics.median(row[name] for row in mine) for name in SHOWN}
            base = base or middle["tokens_per_s"]
            share = middle["tokens_per_s"] / base
            table.append({"sequences": lanes, "way": way, "rounds": len(mine), **middle, f"of_{order[0]}": share})
    return table


async def measure_steady(args: argparse.Namespace, ways: Mapping[str, SteadyWay], prompts: Prompts) -> None:
    """The ways take turns; without a warm-up, since the ramp is one."""
    rows: list[dict[str, Any]] = []
    order = [way for way in args.ways if way in ways]
    for lanes in args.sequences:
        for number in range(args.steady_rounds):
            for way in order:
                calls = await ways[way](asked(lanes, args.steady, prompts), lanes)
                rows.append(figures(way, lanes, number, args.steady, calls))
                write_rows(args.out / "overhead-steady.jsonl", rows)
        shown = summary([row for row in rows if row["sequences"] == lanes], order)
        print_table(f"{lanes} calls of {TOKENS} + {TOKENS} tokens kept under way for {args.steady:g} s", shown)
