"""Results on disk, as the report reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.descriptions import DESCRIPTIONS
from bench.recorder import read_lines


@dataclass(frozen=True, slots=True)
class Results:
    """``about``: git hash, machine, time; ``rows`` by trace, Ray Serve's systems before Catenary's."""

    folder: Path
    about: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]

    def runs(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self._lines(row, ".jsonl.gz")

    def processes(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self._lines(row, ".processes.jsonl.gz")

    def engines(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self._lines(row, ".engines.jsonl.gz")

    def traces(self) -> list[str]:
        return sorted({row["trace"] for row in self.rows})

    def of_trace(self, trace: str) -> list[Mapping[str, Any]]:
        return [row for row in self.rows if row["trace"] == trace]

    def _lines(self, row: Mapping[str, Any], ending: str) -> list[dict[str, Any]]:
        path = self.folder / "raw" / f"{row['system']}-{row['trace']}{ending}"
        return read_lines(path) if path.is_file() else []


def load_results(folder: Path) -> Results:
    path = folder / "ray.json"
    about = path.with_suffix(".about.json")
    rows = sorted(json.loads(path.read_text()), key=lambda row: (row["trace"], _place(row["system"])))
    return Results(folder, json.loads(about.read_text()), rows)


def _place(system: str) -> tuple[int, str]:
    names = list(DESCRIPTIONS)
    return (names.index(system) if system in names else len(names), system)


def missed_by_decile(runs: Sequence[Mapping[str, Any]]) -> list[float]:
    """Per cent missed in each tenth of the runs by unloaded latency, the shortest first; empty below ten runs."""
    ordered = sorted(runs, key=lambda run: (run["own_latency_s"], run["run"]))
    if len(ordered) < 10:
        return []
    edges = [len(ordered) * tenth // 10 for tenth in range(11)]
    return [_missed(ordered[edges[n] : edges[n + 1]]) for n in range(10)]


def missed_by_tenant(runs: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    tenants = sorted({run["tenant"] for run in runs})
    return {tenant: _missed([run for run in runs if run["tenant"] == tenant]) for tenant in tenants}


def slack_by_call(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Slack in seconds when each call of the workflow became ready, map items under one name; sorted."""
    found: dict[str, list[float]] = {}
    for run in runs:
        for call in run["calls"]:
            if call["slack_before_s"] is not None:
                found.setdefault(call["name"].partition("[")[0], []).append(call["slack_before_s"])
    return {name: sorted(values) for name, values in found.items()}


def _missed(runs: Sequence[Mapping[str, Any]]) -> float:
    return 100 * sum(not run["met"] for run in runs) / max(1, len(runs))
