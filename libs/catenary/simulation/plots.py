"""Pictures of a sweep. The one module that needs matplotlib (the extra ``report``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from catenary.simulation.consumed import KINDS, CallTime, mean_times
from catenary.simulation.sweep import Point

COLOURS = {"cold": "#6b7280", "queue": "#d97706", "prefill": "#7c3aed", "decode": "#2563eb"}
LABELS = {"cold": "no replica awake", "queue": "queue", "prefill": "prefill", "decode": "decode"}
POLICY_COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#6b7280")
STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e5e7eb",
    "font.size": 10,
    "legend.frameon": False,
}


def attainment_over_load(points: Sequence[Point], target: float, path: Path) -> None:
    """Per cent of the runs in time; the dotted line is the workflow's objective. One load is a bar per policy."""
    with mpl.rc_context(STYLE):
        figure, (axes,) = _panels(1, 6.4)
        for number, (policy, found) in enumerate(_by_policy(points)):
            colour = POLICY_COLOURS[number % len(POLICY_COLOURS)]
            values = [100 * (1 - point.report.missed) for point in found]
            if len(found) == 1:
                bar = axes.bar([policy], values, color=colour, width=0.5)
                axes.bar_label(bar, fmt="%.1f")
            else:
                axes.plot([point.load for point in found], values, color=colour, marker="o", label=policy)
        axes.axhline(100 * target, color="#374151", linestyle=":", linewidth=1)
        axes.set_ylim(0, 105)
        axes.set_ylabel("runs in time, per cent")
        if axes.get_legend_handles_labels()[0]:
            axes.set_xlabel("load")
            axes.legend(loc="lower left")
        figure.savefig(path)


def slack_by_call(points: Sequence[Point], path: Path) -> None:
    """Slack when each call became ready, at the highest load: boxes from q10 to q90 with the median."""
    chosen = [found[-1] for _, found in _by_policy(points)]
    with mpl.rc_context(STYLE):
        figure, panels = _panels(len(chosen), 4.0)
        for axes, point in zip(panels, chosen, strict=True):
            for place, (_, times) in enumerate(_by_call(point.calls)):
                _box(axes, place, [time.slack_s for time in times])
            names = [name for name, _ in _by_call(point.calls)]
            axes.set_xticks(range(len(names)), names)
            axes.axhline(0, color="#dc2626", linewidth=1)
            axes.set_title(f"{point.policy}, load {point.load:g}", fontsize=10)
        panels[0].set_ylabel("slack when ready, s")
        figure.savefig(path)


def consumed_over_load(points: Sequence[Point], path: Path) -> None:
    """Mean seconds per call of a run, stacked by what they went to; one panel per policy, one group per load."""
    with mpl.rc_context(STYLE):
        figure, panels = _panels(len(_by_policy(points)), 4.8)
        for axes, (policy, found) in zip(panels, _by_policy(points), strict=True):
            _stack(axes, found)
            axes.set_title(policy, fontsize=10)
        panels[0].set_ylabel("mean seconds per run")
        panels[0].legend(loc="upper left")
        figure.savefig(path)


def attainment_over_cost(curves: Mapping[str, Sequence[tuple[float, float]]], path: Path) -> None:
    """Per curve points of (replica-seconds, part of the runs in time, 0..1), joined in the order of their cost."""
    with mpl.rc_context(STYLE):
        figure, (axes,) = _panels(1, 6.4)
        for number, (name, points) in enumerate(curves.items()):
            ordered = sorted(points)
            colour = POLICY_COLOURS[number % len(POLICY_COLOURS)]
            shares = [100 * share for _, share in ordered]
            axes.plot([cost for cost, _ in ordered], shares, color=colour, marker="o", label=name)
        axes.set_xlabel("replica-seconds awake or waking")
        axes.set_ylabel("runs in time, per cent")
        axes.legend(loc="lower right")
        figure.savefig(path)


def _stack(axes: Any, found: Sequence[Point]) -> None:
    ticks: list[int] = []
    names: list[str] = []
    for group, point in enumerate(found):
        times = mean_times(point.calls, max(1, round(point.report.runs * (1 - point.report.refused))))
        for place, (name, kinds) in enumerate(times.items()):
            x, base = group * (len(times) + 1) + place, 0.0
            for kind in KINDS:
                label = LABELS[kind] if not ticks else None
                axes.bar(x, kinds[kind], bottom=base, width=0.85, color=COLOURS[kind], label=label)
                base += kinds[kind]
            ticks.append(x)
            names.append(f"{name}\nload {point.load:g}" if place == len(times) // 2 else name)
    axes.set_xticks(ticks, names)
    axes.grid(visible=False, axis="x")


def _box(axes: Any, place: int, values: Sequence[float]) -> None:
    ordered = sorted(values)
    low, lower, median, upper, high = (
        ordered[min(len(ordered) - 1, int(q * len(ordered)))] for q in (0.1, 0.25, 0.5, 0.75, 0.9)
    )
    axes.vlines(place, low, high, color="#2563eb", linewidth=1.5)
    axes.vlines(place, lower, upper, color="#2563eb", linewidth=14, alpha=0.35)
    axes.hlines(median, place - 0.2, place + 0.2, color="#1e3a8a", linewidth=2)


def _panels(count: int, width: float) -> tuple[Figure, list[Any]]:
    figure = Figure(figsize=(width * count, 3.8), layout="constrained", dpi=120)
    return figure, list(figure.subplots(1, count, sharey=True, squeeze=False)[0])


def _by_policy(points: Sequence[Point]) -> list[tuple[str, list[Point]]]:
    return [(policy, list(found)) for policy, found in groupby(points, key=lambda point: point.policy)]


def _by_call(times: Sequence[CallTime]) -> list[tuple[str, list[CallTime]]]:
    found: dict[str, list[CallTime]] = {}
    for time in times:
        found.setdefault(time.name, []).append(time)
    return list(found.items())
