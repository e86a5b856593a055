"""Profiles against calls outside their grid: rows of loadtest/gpu/holdout.py, predicted by the profile.

    python loadtest/gpu/judge.py HOLDOUT.jsonl [--profiles profiles] [--accelerator nvidia-h100-80gb-hbm3]

Each scenario is run through the simulated engine on its profile with the calls' submit times and tokens; the profile's
``overhead_s`` is added to each call. A call arrives when the gateway places it, and its time counts from there; with
``--client`` both count from the client's submission. The error is |predicted / measured - 1|.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rows import print_table

from catenary.model.profile import EngineProfile
from catenary.runtime.wire.profile import load_profile_file
from catenary.simulation.engine import EngineModel

CHUNK_TOKENS = 8192


def predicted(profile: EngineProfile, calls: list[dict[str, Any]], chunk: int) -> list[float]:
    """Whole time of each call in seconds."""
    engine = EngineModel(replace(profile, correction=1.0), chunk)
    ended: dict[Any, float] = {}
    for number, call in sorted(enumerate(calls), key=lambda item: item[1]["submit_s"]):
        ended |= _ends(engine, call["submit_s"])
        engine.submit(number, call["prompt_tokens"], call["output_tokens"], number, call["submit_s"])
    ended |= _ends(engine, 1e6)
    return [ended[number] + profile.overhead_s for number in range(len(calls))]


def _ends(engine: EngineModel, now: float) -> dict[Any, float]:
    return {call.call_id: call.duration_s for call in engine.advance(now).finished}


def from_placement(row: dict[str, Any]) -> dict[str, Any]:
    """The row without the time before the call was placed."""
    before_s = row["e2e_s"] - row["gateway_duration_s"]
    return row | {
        "submit_s": row["submit_s"] + before_s,
        "e2e_s": row["gateway_duration_s"],
    }


def scenarios(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The rows of one scenario after the other; equal scenarios of one model in a row belong to one batch each."""
    part: list[dict[str, Any]] = []
    for row in rows:
        is_full = bool(part) and bool(part[0]["batch"]) and len(part) == part[0]["batch"]
        if part and (is_full or (row["model"], row["scenario"]) != (part[0]["model"], part[0]["scenario"])):
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def judge(rows: list[dict[str, Any]], profiles: dict[str, EngineProfile], chunk: int) -> list[dict[str, Any]]:
    table = []
    for part in scenarios(rows):
        found = predicted(profiles[part[0]["model"]], part, chunk)
        table += [row | {"error": whole_s / row["e2e_s"] - 1} for row, whole_s in zip(part, found, strict=True)]
    return table


def summary(judged: list[dict[str, Any]]) -> list[dict[str, Any]]:
    lines = []
    for model in sorted({row["model"] for row in judged}):
        for kind in ("batch", "stream", "all"):
            mine = [
                row for row in judged if row["model"] == model and (kind == "all" or row["scenario"].startswith(kind))
            ]
            errors = np.abs([r["error"] for r in mine])
            by_scenario = [np.median(np.abs([r["error"] for r in part])) for part in scenarios(mine)]
            lines.append(
                {
                    "model": model,
                    "kind": kind,
                    "calls": len(mine),
                    "median": float(np.median(errors)),
                    "p95": float(np.percentile(errors, 95)),
                    "median of scenarios": float(np.median(by_scenario)),
                    "bias": float(np.median([r["error"] for r in mine])),
                }
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("--profiles", type=Path, default=Path("profiles"))
    parser.add_argument("--accelerator", default="nvidia-h100-80gb-hbm3")
    parser.add_argument("--chunk", type=int, default=CHUNK_TOKENS)
    parser.add_argument("--client", action="store_true", help="judge whole times as the client sees them")
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.rows.read_text().splitlines()]
    if not args.client:
        rows = [from_placement(row) for row in rows]
    models = {row["model"] for row in rows}
    profiles = {m: load_profile_file(args.profiles / f"{m}--{args.accelerator}.json") for m in models}
    print_table("relative error of the predicted duration", summary(judge(rows, profiles, args.chunk)))


if __name__ == "__main__":
    main()
