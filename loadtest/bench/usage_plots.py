"""Plots of what a measurement used: cores by the role of a process, engines over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from bench.colours import GREY, colour, save
from bench.results import Results

ROLES = {
    "front: gateway; proxy and ingress": "#2166ac",
    "router": "#92c5de",
    "engines: workers; replicas": "#d9a441",
    "control and store": "#888888",
    "load generator": "#dddddd",
}
FRONT = ("gateway", "ray Workflows", "ray ProxyActor")
STARTING = ("default_worker.py", "ray IDLE")
RAY_CONTROL = ("ray ServeController", "ray driver", "ray DashboardAgent", "ray RuntimeEnvAgent")


def role(process: str) -> str:
    """Of a process by the name that Watch gives it."""
    front, router, engines, control, load = ROLES
    name = process.partition("#")[0]
    if name == "generator":
        return load
    if name in FRONT:
        return front
    if name == "router":
        return router
    if name.startswith(("worker", "VLLM")) or name in STARTING or (name.startswith("ray ") and name not in RAY_CONTROL):
        return engines
    return control


def processes(results: Results, folder: Path) -> Path:
    figure = Figure(figsize=(9, 1.6 + 0.27 * len(results.rows)), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(results.rows):
        used, left = _cores_by_role(results.processes(row)), 0.0
        for name, shade in ROLES.items():
            axes.barh(-place, used[name], left=left, color=shade, edgecolor="white", label="" if place else name)
            left += used[name]
        axes.text(left + 0.01, -place, f"{left:.2f}", fontsize=7, va="center")
    labels = [f"{row['trace']}   {row['system']}" for row in results.rows]
    axes.set_yticks([-place for place in range(len(labels))], labels, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(0.6 - max(1, len(labels)), 0.6)
    axes.set_xlabel("cores in use, mean while runs arrived")
    figure.legend(loc="outside upper center", ncols=3, fontsize=8, frameon=False)
    return save(figure, folder / "processes.png")


def engines_in_use(results: Results, trace: str, folder: Path) -> Path | None:
    """Over time, with the runs that arrive; None where no system of the trace starts or stops any."""
    points = [(row, results.engines(row)) for row in results.of_trace(trace)]
    points = [(row, found) for row, found in points if len(found) > 1]
    if not points:
        return None
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    for row, found in points:
        end = max(run["at_s"] for run in results.runs(row))
        times = [*(point["at_s"] for point in found), end]
        counts = [*(point["replicas"] for point in found), found[-1]["replicas"]]
        axes.step(times, counts, where="post", color=colour(row), label=row["system"])
    arrivals = axes.twinx()
    seconds = _arrivals_by_second(results.runs(points[0][0]))
    arrivals.fill_between(range(len(seconds)), seconds, step="post", color=GREY, alpha=0.15, linewidth=0)
    arrivals.set(ylabel="runs that arrive, 1/s (grey)", ylim=(0, None))
    axes.set(xlabel="s", ylabel="engines that take calls, start or stop", ylim=(0, None), title=trace)
    axes.legend(fontsize=8, loc="lower right")
    return save(figure, folder / f"{trace}_engines.png")


def _cores_by_role(samples: Sequence[Mapping[str, Any]]) -> Mapping[str, float]:
    used: defaultdict[str, float] = defaultdict(float)
    for sample in samples:
        for name, cores in sample["cores"].items():
            used[role(name)] += cores / len(samples)
    return used


def _arrivals_by_second(runs: Sequence[Mapping[str, Any]]) -> list[int]:
    counts = [0] * (1 + max(int(run["at_s"]) for run in runs))
    for run in runs:
        counts[int(run["at_s"])] += 1
    return counts
