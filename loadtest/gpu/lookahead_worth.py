"""What places in the engine's queue are worth: calls per second of a full engine with and without them.

    catenary up --config loadtest/gpu/lookahead.cluster.yaml &
    python loadtest/gpu/lookahead_worth.py [--config FILE] [--out FOLDER] [--rounds 5]

Four client processes keep 48 calls of 64 + 64 tokens under way on 16 seats, four seconds a phase; the models, which
differ in lookahead alone, take turns. What counts are the calls that end in the last three seconds of a phase.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from pathlib import Path
from typing import Any

from cluster import wait_ready
from overhead_clients import Clients, Work
from overhead_ways import Asked, Timed
from prompts import Prompts
from rows import print_table, write_rows

from catenary.runtime.config import load_config

HERE = Path(__file__).parent
PROMPT_TOKENS, OUTPUT_TOKENS = 64, 64
UNDER_WAY = 48
PHASE_S, RAMP_S = 4.0, 1.0
MAX_CALLS = 3000


def row(model: str, lookahead: int, number: int, calls: list[Timed]) -> dict[str, Any]:
    began = min(call.submit for call in calls)
    counted = [call for call in calls if began + RAMP_S <= call.end < began + PHASE_S]
    seconds = PHASE_S - RAMP_S
    return {
        "model": model,
        "lookahead": lookahead,
        "round": number,
        "calls_per_s": len(counted) / seconds,
        "tokens_per_s": sum(call.tokens for call in counted) / seconds,
        "e2e_ms": statistics.median(call.end - call.submit for call in counted) * 1e3,
        "whole": sum(call.tokens == OUTPUT_TOKENS for call in counted),
    }


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Medians of the rounds, their range, and the gain over the first model in each round."""
    table = []
    first = rows[0]["model"]
    base = {one["round"]: one["calls_per_s"] for one in rows if one["model"] == first}
    for model in dict.fromkeys(one["model"] for one in rows):
        mine = [one for one in rows if one["model"] == model]
        rates = [one["calls_per_s"] for one in mine]
        gains = [one["calls_per_s"] / base[one["round"]] - 1 for one in mine if one["round"] in base]
        table.append(
            {
                "lookahead": mine[0]["lookahead"],
                "rounds": len(mine),
                "calls_per_s": statistics.median(rates),
                "least": min(rates),
                "most": max(rates),
                "gain_%": 100 * statistics.median(gains),
                "least gain_%": 100 * min(gains),
                "most gain_%": 100 * max(gains),
                "e2e_ms": statistics.median(one["e2e_ms"] for one in mine),
            }
        )
    return table


async def worth(args: argparse.Namespace) -> None:
    config = load_config(args.config)
    await wait_ready(args.config, args.timeout)
    clients = Clients()
    rows: list[dict[str, Any]] = []
    prompts = Prompts(Path(next(iter(config.models.values())).source), seed=43)
    for number in range(args.rounds + 1):
        for model, settings in config.models.items():
            asked = [Asked(prompts.text(PROMPT_TOKENS)) for _ in range(MAX_CALLS)]
            work = Work("catenary", (config.gateway.address,), model, asked, OUTPUT_TOKENS, UNDER_WAY, PHASE_S)
            calls = await clients.steady(work)
            if number:
                rows.append(row(model, settings.lookahead, number, calls))
                write_rows(args.out / "lookahead-worth.jsonl", rows)
    clients.close()
    print_table(f"{UNDER_WAY} calls under way on 16 seats, {PROMPT_TOKENS} + {OUTPUT_TOKENS} tokens", summary(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=HERE / "lookahead.cluster.yaml")
    parser.add_argument("--out", type=Path, default=Path("loadtest/out/gpu"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--timeout", type=float, default=200.0)
    asyncio.run(worth(parser.parse_args()))


if __name__ == "__main__":
    main()
