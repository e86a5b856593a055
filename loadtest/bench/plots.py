"""Plots of a comparison as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.colours import GREY, colour, save
from bench.results import Results, missed_by_decile, missed_by_tenant, slack_by_call
from bench.row import quantile
from bench.usage_plots import engines_in_use, processes


def overview(results: Results, folder: Path) -> list[Path]:
    """All traces in one: misses, and cores in use."""
    return [_missed_by_trace(results, folder), processes(results, folder)]


def of_trace(results: Results, trace: str, folder: Path) -> list[Path]:
    """One file per question; a plot without data is left out."""
    made = [_one_trace(results, trace, folder), engines_in_use(results, trace, folder)]
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
            axes.barh(place, missed, color=colour(row), hatch="//" if row["saturated"] else None)
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
    return save(figure, folder / "missed.png")


def _one_trace(results: Results, trace: str, folder: Path) -> Path:
    rows = results.of_trace(trace)
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    latency, decile, tenant, slack = figure.subplots(2, 2).flat
    figure.suptitle(f"{trace}, objective {rows[0]['objective']}")
    for row in rows:
        runs = results.runs(row)
        _latencies(latency, row, runs)
        if deciles := missed_by_decile(runs):
            decile.plot(range(1, 11), deciles, marker="o", markersize=3, color=colour(row), label=row["system"])
    _tenants(tenant, results, rows)
    _slack(slack, results, rows)
    latency.axvline(1.0, color=GREY, linewidth=0.8, linestyle=":")
    latency.set(xlabel="latency / deadline", ylabel="share of all runs", xlim=(0, 3), ylim=(0, 1))
    latency.legend(fontsize=8)
    decile.set(xlabel="tenth of the runs by unloaded latency (1: shortest)", ylabel="missed, per cent", ylim=(-2, 102))
    return save(figure, folder / f"{trace}.png")


def _latencies(axes: Axes, row: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> None:
    ratios = sorted(run["latency_s"] / run["deadline_s"] for run in runs if run["outcome"] == "SUCCEEDED")
    shares = [(place + 1) / max(1, len(runs)) for place in range(len(ratios))]
    axes.plot(ratios, shares, color=colour(row), label=row["system"])


def _tenants(axes: Axes, results: Results, rows: Sequence[Mapping[str, Any]]) -> None:
    width = 0.8 / max(1, len(rows))
    names: list[str] = []
    for place, row in enumerate(rows):
        missed = missed_by_tenant(results.runs(row))
        names = list(missed)
        at = [number + (place - (len(rows) - 1) / 2) * width for number in range(len(missed))]
        axes.bar(at, list(missed.values()), width, color=colour(row))
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
            axes.plot([at, at], [quantile(values, 0.1), quantile(values, 0.9)], color=colour(row))
            axes.plot(at, quantile(values, 0.5), marker="o", color=colour(row))
    axes.axhline(0, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(calls)), calls)
    axes.set(ylabel="slack when ready, s (q10, median, q90)", xlabel="call")
