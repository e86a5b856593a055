"""Plots of a comparison as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.results import Results, missed_by_decile, missed_by_tenant, slack_by_call
from bench.row import quantile

mpl.use("Agg")

COLOURS = {
    "ray_fixed": "#b2182b",
    "ray_tuned": "#ef8a62",
    "ray_split": "#fdb863",
    "ray_auto": "#8c510a",
    "ray_auto_default": "#bf812d",
    "ray_slack": "#c994c7",
    "catenary": "#2166ac",
    "catenary_split": "#053061",
    "catenary_shared": "#1b7837",
    "catenary_auto": "#5aae61",
    "catenary_blind": "#92c5de",
}
GREY = "#666666"


def draw(results: Results, folder: Path) -> list[Path]:
    """One file per question; a plot without data is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [_missed_by_trace(results, folder), _processes(results, folder)]
    for trace in results.traces():
        made += [_one_trace(results, trace, folder)]
    return [path for path in made if path is not None]


def _missed_by_trace(results: Results, folder: Path) -> Path:
    traces = results.traces()
    figure = Figure(figsize=(9, 1.2 + 0.26 * len(results.rows) + 0.36 * len(traces)), layout="constrained")
    axes = figure.subplots()
    place, ticks, labels = 0.0, [], []
    for trace in traces:
        axes.text(0, place, f"{trace}  ", fontsize=9, fontweight="bold", ha="right", va="center")
        for row in results.of_trace(trace):
            place -= 1
            missed = 100 * row["missed"]
            axes.barh(place, missed, color=_colour(row), hatch="//" if row["saturated"] else None)
            axes.barh(place, 100 * row["refused"], color="none", edgecolor="black", linewidth=0.8)
            if row["simulated_missed"] is not None:
                axes.plot(100 * row["simulated_missed"], place, marker="D", color="black", markersize=4)
            right = max(missed, 100 * (row["simulated_missed"] or 0.0))
            axes.text(right + 1.2, place, f"{missed:.1f}", fontsize=8, va="center")
            ticks.append(place)
            labels.append(row["system"])
        place -= 1.4
    axes.set_yticks(ticks, labels, fontsize=8)
    axes.set(xlim=(0, 100), ylim=(place + 0.6, 0.8))
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(
        "runs that missed their objective, per cent\n(outlined: refused; diamond: simulated; hatched: saturated)"
    )
    return _save(figure, folder / "missed.png")


def _one_trace(results: Results, trace: str, folder: Path) -> Path:
    rows = results.of_trace(trace)
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    latency, decile, tenant, slack = figure.subplots(2, 2).flat
    figure.suptitle(f"{trace}, objective {rows[0]['objective']}")
    for row in rows:
        runs = results.runs(row)
        _latencies(latency, row, runs)
        if deciles := missed_by_decile(runs):
            decile.plot(range(1, 11), deciles, marker="o", markersize=3, color=_colour(row), label=row["system"])
    _tenants(tenant, results, rows)
    _slack(slack, results, rows)
    latency.axvline(1.0, color=GREY, linewidth=0.8, linestyle=":")
    latency.set(xlabel="latency / deadline", ylabel="share of all runs", xlim=(0, 3), ylim=(0, 1))
    latency.legend(fontsize=8)
    decile.set(xlabel="tenth of the runs by unloaded latency (1: shortest)", ylabel="missed, per cent", ylim=(-2, 102))
    return _save(figure, folder / f"{trace}.png")


def _latencies(axes: Axes, row: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> None:
    ratios = sorted(run["latency_s"] / run["deadline_s"] for run in runs if run["outcome"] == "SUCCEEDED")
    shares = [(place + 1) / max(1, len(runs)) for place in range(len(ratios))]
    axes.plot(ratios, shares, color=_colour(row), label=row["system"])


def _tenants(axes: Axes, results: Results, rows: Sequence[Mapping[str, Any]]) -> None:
    width = 0.8 / max(1, len(rows))
    names: list[str] = []
    for place, row in enumerate(rows):
        missed = missed_by_tenant(results.runs(row))
        names = list(missed)
        at = [number + (place - (len(rows) - 1) / 2) * width for number in range(len(missed))]
        axes.bar(at, list(missed.values()), width, color=_colour(row))
    axes.set_xticks(range(len(names)), names)
    axes.set(ylabel="missed, per cent", xlabel="tenant", ylim=(0, 102))


def _slack(axes: Axes, results: Results, rows: Sequence[Mapping[str, Any]]) -> None:
    """Median, with a line from q10 to q90, for the systems that know slack."""
    calls: list[str] = []
    known = [(row, slack_by_call(results.runs(row))) for row in rows]
    known = [(row, slack) for row, slack in known if slack]
    for place, (row, slack) in enumerate(known):
        calls = list(slack)
        for number, values in enumerate(slack.values()):
            at = number + 0.12 * (place - (len(known) - 1) / 2)
            axes.plot([at, at], [quantile(values, 0.1), quantile(values, 0.9)], color=_colour(row))
            axes.plot(at, quantile(values, 0.5), marker="o", color=_colour(row))
    axes.axhline(0, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(calls)), calls)
    axes.set(ylabel="slack when ready, s (q10, median, q90)", xlabel="call")


def _processes(results: Results, folder: Path) -> Path:
    figure = Figure(figsize=(9, 1.2 + 0.32 * len(results.rows)), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(results.rows):
        left = 0.0
        means = _mean_cores(results, row)
        for number, (name, used) in enumerate(sorted(means.items(), key=lambda item: -item[1])):
            axes.barh(-place, used, left=left, color=mpl.colormaps["tab20"](number % 20), edgecolor="white")
            if used > 0.05:
                axes.text(left + used / 2, -place, name.removeprefix("ray ")[:12], ha="center", va="center", fontsize=5)
            left += used
    labels = [f"{row['trace']}   {row['system']}" for row in results.rows]
    axes.set_yticks([-place for place in range(len(labels))], labels, fontsize=8)
    axes.set_xlabel("cores in use while runs arrived, by process")
    return _save(figure, folder / "processes.png")


def _mean_cores(results: Results, row: Mapping[str, Any]) -> dict[str, float]:
    samples = results.processes(row)
    names = {name for sample in samples for name in sample["cores"]}
    return {name: sum(sample["cores"].get(name, 0.0) for sample in samples) / len(samples) for name in names}


def _colour(row: Mapping[str, Any]) -> str:
    return COLOURS.get(row["system"], GREY)


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=110)
    return path
