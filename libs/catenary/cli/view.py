"""A run while it happens: the text of its calls as it comes, each call in its own colour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from catenary.cli.palette import Palette, seconds, signed
from catenary.client import (
    CallFinished,
    CallRecord,
    CallRestarted,
    CallStarted,
    CallTokens,
    RunAdmitted,
    RunEventBody,
    RunRefused,
)
from catenary.model.outcome import Outcome

_TAIL_LINES = 3
_LINE = 100


@dataclass(slots=True)
class _Pane:
    """One call that is under way."""

    name: str
    colour: str
    where: str
    text: str = ""
    printed: int = 0
    tokens: int = 0


@dataclass(slots=True)
class _Panes:
    """What stands at the bottom of a terminal: the last lines of every call under way."""

    by_call: dict[str, _Pane] = field(default_factory=dict)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for pane in self.by_call.values():
            yield Text.assemble(
                ("▸ ", pane.colour),
                (pane.name, f"bold {pane.colour}"),
                f"  {pane.where}",
                (f"  {pane.tokens} tokens", "dim"),
            )
            width = max(20, options.max_width - 2)
            lines = Text(pane.text[-_TAIL_LINES * width * 2 :]).wrap(console, width)
            for line in lines[-_TAIL_LINES:]:
                yield Padding(line, (0, 0, 0, 2))


class RunView:
    """Feed it the events of one run. On a terminal calls stream side by side; elsewhere lines carry the call's name.

    Use it as a context manager around the run.
    """

    def __init__(self, console: Console, palette: Palette) -> None:
        self._console = console
        self._palette = palette
        self._panes = _Panes()
        self._live = Live(self._panes, console=console, refresh_per_second=12, transient=True)

    def __enter__(self) -> RunView:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def feed(self, event: RunEventBody) -> None:
        match event:
            case RunAdmitted():
                self._console.print(_admitted(event))
            case RunRefused():
                self._console.print(Text.assemble((f"{event.outcome} ", "bold red"), event.reason))
            case CallStarted():
                self._started(event)
            case CallTokens():
                self._tokens(event)
            case CallRestarted():
                self._restarted(event)
            case CallFinished():
                self._finished(event.record)

    def _started(self, event: CallStarted) -> None:
        name = str(event.ref)
        pane = self._panes.by_call.setdefault(name, _Pane(name, self._palette.colour(event.ref.name), ""))
        pane.where = f"{event.model} on {event.worker}"
        if not self._console.is_terminal:
            again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
            self._line(pane, f"started on {event.worker}, slack {signed(event.slack_s)} s{again}", "·")

    def _tokens(self, event: CallTokens) -> None:
        pane = self._panes.by_call.get(str(event.ref))
        if pane is None:
            return
        pane.text += event.text
        pane.tokens = event.offset + event.num_tokens
        if not self._console.is_terminal:
            for line in _whole_lines(pane):
                self._line(pane, line)

    def _restarted(self, event: CallRestarted) -> None:
        pane = self._panes.by_call.get(str(event.ref))
        if pane is not None:
            pane.text, pane.printed, pane.tokens = "", 0, 0
            self._line(pane, f"starts again: {event.reason}", "·")

    def _finished(self, record: CallRecord) -> None:
        name = str(record.ref)
        pane = self._panes.by_call.pop(name, None) or _Pane(name, self._palette.colour(record.ref.name), "")
        if self._console.is_terminal:
            self._console.print(_heading(record, pane.colour))
            if record.text:
                self._console.print(Padding(Text(record.text.strip()), (0, 0, 0, 2)))
            return
        for line in pane.text[pane.printed :].splitlines():
            self._line(pane, line)
        self._line(pane, _heading(record, pane.colour).plain.removeprefix(f"● {name}  "), "·")

    def _line(self, pane: _Pane, text: str, mark: str = "│") -> None:
        self._console.print(f"[{pane.colour}]{escape(pane.name)} {mark}[/] {escape(text)}", soft_wrap=True)


def _whole_lines(pane: _Pane) -> Iterator[str]:
    while True:
        rest = pane.text[pane.printed :]
        end = rest.find("\n")
        if end < 0 and len(rest) > _LINE:
            end = rest.rfind(" ", 0, _LINE)
        if end < 0:
            return
        pane.printed += end + 1
        yield rest[:end]


def _admitted(event: RunAdmitted) -> Text:
    if not event.deadline_s:
        return Text.assemble(("admitted", "green"), f": predicted {seconds(event.predicted_s)} s, no deadline")
    return Text.assemble(
        ("admitted", "green"),
        f": predicted {seconds(event.predicted_s)} s, deadline {seconds(event.deadline_s)} s, "
        f"slack {signed(event.slack_s)} s, {event.probability:.0%} likely in time",
    )


def _heading(record: CallRecord, colour: str) -> Text:
    head = Text.assemble(("● ", colour), (str(record.ref), f"bold {colour}"), "  ")
    if record.outcome is Outcome.SKIPPED:
        return head.append("skipped: its branch was not taken", "dim")
    if record.outcome is not Outcome.SUCCEEDED:
        return head.append(f"{record.outcome}: {record.error}", "red")
    return head.append(
        f"{record.output_tokens} tokens in {seconds(record.duration_s)} s on {record.worker}, "
        f"slack now {signed(record.slack_after_s)} s",
        "dim",
    )
