"""What became of a run: a bar chart, the figures of each call, prediction against reality, and the verdict."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from catenary.cli.gantt import Gantt
from catenary.cli.palette import Palette, seconds, signed
from catenary.cli.shapes import call_state
from catenary.cli.verdict import verdict
from catenary.client import CallRecord, Run
from catenary.model.outcome import Outcome

_WIDE = 100


def timeline(run: Run, palette: Palette, width: int) -> Group:
    """``width`` in cells; from 100 on the model has a column of its own. Made for 80 and more."""
    parts: list[RenderableType] = []
    if run.calls:
        title = f"timeline of {run.workflow}" if run.workflow else "timeline"
        parts += [Rule(title, style="dim"), Gantt(run, palette), Text(), _figures(run, palette, width >= _WIDE)]
    parts.append(Padding(verdict(run), (1, 0, 0, 0)))
    return Group(*parts)


def _figures(run: Run, palette: Palette, wide: bool) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0) if wide else (0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("call", no_wrap=True, max_width=24, overflow="ellipsis")
    if wide:
        table.add_column("model", no_wrap=True, max_width=20, overflow="ellipsis")
    table.add_column("worker", no_wrap=True, max_width=10, overflow="ellipsis")
    for title in ("queue", "ttft", "took", "predicted", "slack before", "after", "tokens in", "out"):
        table.add_column(
            title if wide else title.replace("slack ", "slack\n").replace("tokens ", "tok\n"), justify="right"
        )
    for call in run.calls:
        table.add_row(*_row(call, palette, wide, bool(run.deadline_s)))
    return table


def _row(call: CallRecord, palette: Palette, wide: bool, has_deadline: bool) -> list[Text]:
    name = [Text(str(call.ref), style=palette.colour(call.ref.name))]
    model = [Text(call.model)] if wide else []
    if call.outcome is Outcome.SKIPPED or (call.outcome is not None and not call.worker):
        return [*name, *model, Text(call_state(call).lower(), style="dim")]
    state = [] if call.outcome is Outcome.SUCCEEDED else [Text(call_state(call).lower(), style="red")]
    slack = [_slack(call.slack_before_s), _slack(call.slack_after_s)] if has_deadline else [Text("-"), Text("-")]
    return [
        *name,
        *model,
        Text(call.worker),
        Text(seconds(call.queue_s)),
        Text(seconds(call.ttft_s)),
        Text(seconds(call.duration_s), style="bold"),
        Text(seconds(call.predicted_s) if call.predicted_s else "-"),
        *slack,
        Text(str(call.prompt_tokens)),
        Text(str(call.output_tokens)),
        *state,
    ]


def _slack(value: float) -> Text:
    return Text(signed(value), style="green" if value >= 0 else "bold red")
