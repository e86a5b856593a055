"""What is left of a run once it has ended: its output, its timeline and the verdict."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from catenary.cli.headings import printable
from catenary.cli.palette import Palette
from catenary.cli.timeline import timeline
from catenary.cli.verdict import verdict
from catenary.client import Run


def report(run: Run, palette: Palette) -> Group:
    """Made for 80 cells and more."""
    parts: list[RenderableType] = []
    if run.output is not None:
        parts += [Rule("output", style="dim"), Text(_output(run.output))]
    if run.calls:
        title = f"timeline of {run.workflow}" if run.workflow else "timeline"
        parts += [Rule(title, style="dim"), timeline(run, palette)]
    parts.append(Padding(verdict(run), (1, 0, 0, 0)))
    return Group(*parts)


def _output(value: Any) -> str:
    return printable(value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2))
