"""A run on a terminal: the last lines of every call under way, and the whole text of each call that has ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from catenary.cli.headings import admitted_line, call_line, ended_line, printable
from catenary.cli.palette import Palette
from catenary.client import (
    CallFinished,
    CallRecord,
    CallRestarted,
    CallStarted,
    CallTokens,
    RunAdmitted,
    RunEventBody,
)
from catenary.model.workflow import CallRef

_PANE_LINES = 3
_KEPT_CHARS = 4_096
_SPARE_LINES = 3


@dataclass(slots=True)
class Pane:
    """One call under way; ``text`` is the end of what it has said."""

    colour: str
    where: str = ""
    text: str = ""
    num_tokens: int = 0

    def lines(self, console: Console, width: int) -> list[Text]:
        """The last lines at ``width`` cells, at most three."""
        wrapped = Text(printable(self.text)).wrap(console, width)
        return [line for line in wrapped if line.plain.strip()][-_PANE_LINES:]


@dataclass(slots=True)
class Panes:
    """What stands at the bottom of the terminal."""

    by_call: dict[CallRef, Pane] = field(default_factory=dict)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = max(1, (console.height - _SPARE_LINES) // (_PANE_LINES + 1))
        for ref, pane in list(self.by_call.items())[:room]:
            yield call_line(str(ref), pane.colour, f"{pane.where}, {pane.num_tokens} tokens")
            for line in pane.lines(console, max(20, options.max_width - 2)):
                yield Padding(line, (0, 0, 0, 2))
        if len(self.by_call) > room:
            yield Text(f"and {len(self.by_call) - room} more calls", style="dim")


class LiveView:
    """Feed it the events of one run, inside its context."""

    def __init__(self, console: Console, palette: Palette) -> None:
        self._console = console
        self._palette = palette
        self._panes = Panes()
        self._live = Live(self._panes, console=console, refresh_per_second=12, transient=True)

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._panes.by_call.clear()
        self._live.stop()

    def feed(self, event: RunEventBody) -> None:
        match event:
            case RunAdmitted():
                self._console.print(admitted_line(event))
            case CallStarted():
                self._pane(event.ref).where = f"{event.model} on {event.worker}"
            case CallTokens():
                pane = self._pane(event.ref)
                pane.text = (pane.text + event.text)[-_KEPT_CHARS:]
                pane.num_tokens = event.offset + event.num_tokens
            case CallRestarted():
                self._panes.by_call[event.ref] = Pane(self._palette.colour(event.ref.name), "starts again")
            case CallFinished():
                self._finished(event.record)

    def _pane(self, ref: CallRef) -> Pane:
        return self._panes.by_call.setdefault(ref, Pane(self._palette.colour(ref.name)))

    def _finished(self, record: CallRecord) -> None:
        self._panes.by_call.pop(record.ref, None)
        self._console.print(ended_line(record, self._palette.colour(record.ref.name)))
        if record.text.strip():
            self._console.print(Padding(Text(printable(record.text.strip())), (0, 0, 0, 2)))
