"""A bar chart of a run's calls, and the figures of each beside what was predicted."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from catenary.cli.gantt import Gantt
from catenary.cli.palette import Palette
from catenary.cli.shapes import call_state
from catenary.client import CallRecord, Run
from catenary.model.outcome import Outcome

_UNBOUNDED = 10_000
_NARROW_TITLES = ("queue", "ttft", "took", "pre-\ndicted", "slack\nbefore", "\nafter", "tokens\nin", "\nout")
_WIDE_TITLES = ("queue s", "ttft s", "took s", "predicted s", "slack before", "slack after", "tokens in", "out")


def timeline(run: Run, palette: Palette) -> Group:
    """Made for 80 cells and more."""
    return Group(Gantt(run, palette), Text(), Figures(run, palette))


class Figures:
    """A row for each call; with the models and longer titles where there is room."""

    def __init__(self, run: Run, palette: Palette) -> None:
        self._run = run
        self._palette = palette

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = _figures(self._run, self._palette, wide=True)
        unbounded = options.update(max_width=_UNBOUNDED)
        if Measurement.get(console, unbounded, table).maximum > options.max_width:
            table = _figures(self._run, self._palette, wide=False)
        yield table


def _figures(run: Run, palette: Palette, wide: bool) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0) if wide else (0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("call", overflow="fold")
    if wide:
        table.add_column("model", no_wrap=True)
    table.add_column("worker", no_wrap=True)
    for title in _WIDE_TITLES if wide else _NARROW_TITLES:
        table.add_column(title, justify="right", no_wrap=True)
    digits = 3 if run.e2e_s < 1 else 2
    for call in run.calls:
        name = [Text(str(call.ref), style=palette.colour(call.ref.name)), *([Text(call.model)] if wide else [])]
        table.add_row(*name, *_figures_of(call, bool(run.deadline_s), digits))
    return table


def _figures_of(call: CallRecord, has_deadline: bool, digits: int) -> list[Text]:
    if not call.worker:
        return [Text(call_state(call).lower(), style="dim")]
    good = call.outcome is Outcome.SUCCEEDED
    return [
        Text(call.worker),
        Text(f"{call.queue_s:.{digits}f}"),
        Text(f"{call.ttft_s:.{digits}f}"),
        Text(f"{call.duration_s:.{digits}f}", style="bold"),
        Text(f"{call.predicted_s:.{digits}f}" if call.predicted_s else "-"),
        _slack(call.slack_before_s, has_deadline, digits),
        _slack(call.slack_after_s, has_deadline, digits),
        Text(str(call.prompt_tokens)),
        Text(str(call.output_tokens)),
        *([] if good else [Text(call_state(call).lower(), style="red")]),
    ]


def _slack(value: float, has_deadline: bool, digits: int) -> Text:
    if not has_deadline:
        return Text("-")
    return Text(f"{value:+.{digits}f}", style="green" if value >= 0 else "bold red")
