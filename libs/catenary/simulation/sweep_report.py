"""A sweep as a folder of pictures and one self-contained page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from jinja2 import Environment

from catenary.simulation.plots import attainment_over_load, consumed_over_load, slack_by_call
from catenary.simulation.sweep import Point

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{{ title }}</title>
<style>
 body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #111827 }
 img { max-width: 100% } table { border-collapse: collapse } h2 { margin-top: 2rem }
 th, td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #e5e7eb } th:first-child,
 td:first-child { text-align: left }
</style>
<h1>{{ title }}</h1>
<table><tr><th>policy</th><th>load</th>{% for name in columns %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>
{% for heading, text, picture in pictures %}<h2>{{ heading }}</h2><p>{{ text }}</p>
<img alt="{{ heading }}" src="data:image/png;base64,{{ picture }}">
{% endfor %}</html>
"""
SHARES = ("missed", "refused", "missed_longest_decile")
COLUMNS = ("runs", *SHARES, "goodput_per_s", "p50_s", "p99_s", "replica_seconds", "accelerator_seconds")


def write_report(points: Sequence[Point], target: float, folder: Path) -> Path:
    """``target``: the attainment that the workflow asks for, 0..1. Returns the page. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    attainment, slack, consumed = (folder / f"{name}.png" for name in ("attainment", "slack", "consumed"))
    attainment_over_load(points, target, attainment)
    slack_by_call(points, slack)
    consumed_over_load(points, consumed)
    pictures = [
        ("Attainment over load", "Runs in time, refused ones counted as missed; dotted: the objective.", attainment),
        (
            "Slack at each call",
            "What was left of the run's time when the call became ready, beyond its own and the rest's predicted "
            "duration, of the finished calls: q10 to q90, the middle half and the median, at the highest load.",
            slack,
        ),
        (
            "Who consumed it",
            "Mean seconds per admitted run: waiting while no replica was awake, waiting in the router's and the "
            "engine's queues, the call's own prefill, and decoding with the prefills of others in the same engine.",
            consumed,
        ),
    ]
    page = folder / "report.html"
    page.write_text(
        Environment(autoescape=True)
        .from_string(PAGE)
        .render(
            title=f"{points[0].report.scenario}: {', '.join(dict.fromkeys(point.policy for point in points))}",
            columns=COLUMNS,
            rows=[[point.policy, f"{point.load:g}", *_cells(point)] for point in points],
            pictures=[(heading, text, _encoded(path)) for heading, text, path in pictures],
        )
    )
    return page


def _cells(point: Point) -> list[str]:
    values = asdict(point.report)
    return [f"{values[name]:.1%}" if name in SHARES else f"{values[name]:g}" for name in COLUMNS]


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
