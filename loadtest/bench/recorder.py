"""Raw results of one measurement: one JSON line per run, and one per sample of the processes."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.arrival import Finished
from bench.system import Capacity
from bench.watch import Sample


def run_line(finished: Finished) -> dict[str, Any]:
    arrival, ending = finished.arrival, finished.ending
    return {
        "run": arrival.number,
        "tenant": arrival.tenant,
        "at_s": round(arrival.at_s, 4),
        "lag_s": round(finished.lag_s, 4),
        "latency_s": round(finished.latency_s, 4),
        "deadline_s": round(arrival.deadline_s, 4),
        "own_latency_s": arrival.own_latency_s,
        "output_tokens": arrival.output_tokens,
        "outcome": ending.outcome,
        "refused": ending.refused,
        "met": finished.met,
        "reason": ending.reason,
        "calls": [asdict(call) for call in ending.calls],
    }


def write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def read_lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


def capacity_line(at_s: float, capacity: Capacity) -> dict[str, Any]:
    return {"at_s": round(at_s, 2), **asdict(capacity)}


def sample_line(sample: Sample) -> dict[str, Any]:
    return {
        "at_s": round(sample.at_s, 2),
        "machine": round(sample.machine, 4),
        "rss_mb": round(sample.rss_mb, 1),
        "cores": {name: round(used, 4) for name, used in sample.cores.items()},
    }
