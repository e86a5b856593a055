"""A run where nothing can be redrawn, such as a file: lines that carry the name of their call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from catenary.cli.headings import admitted_line, ended_line, printable
from catenary.cli.palette import Palette, signed
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

_LINE_CHARS = 100


@dataclass(slots=True)
class Line:
    """The text of one call that no line shows yet."""

    text: str = ""

    def complete(self, text: str) -> Iterator[str]:
        """Add ``text`` and yield the lines that it ends; long ones end at a space."""
        self.text += text
        while True:
            end = self.text.find("\n")
            if end < 0 and len(self.text) > _LINE_CHARS:
                end = self.text.rfind(" ", 0, _LINE_CHARS)
                end = end if end > 0 else _LINE_CHARS
            if end < 0:
                return
            line, self.text = self.text[:end], self.text[end:].removeprefix("\n").lstrip(" ")
            yield line


class LineView:
    """Feed it the events of one run, inside its context."""

    def __init__(self, console: Console, palette: Palette) -> None:
        self._console = console
        self._palette = palette
        self._lines: dict[CallRef, Line] = {}

    def __enter__(self) -> LineView:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.clear()

    def feed(self, event: RunEventBody) -> None:
        match event:
            case RunAdmitted():
                self._console.print(admitted_line(event), soft_wrap=True)
            case CallStarted():
                self._started(event)
            case CallTokens():
                for line in self._lines.setdefault(event.ref, Line()).complete(event.text):
                    self._print(event.ref, line)
            case CallRestarted():
                self._lines.pop(event.ref, None)
                self._print(event.ref, f"starts again: {event.reason}", "·")
            case CallFinished():
                self._finished(event.record)

    def _started(self, event: CallStarted) -> None:
        again = f", attempt {event.attempt}" if event.attempt > 1 else ""
        self._print(event.ref, f"{event.model} on {event.worker}, slack {signed(event.slack_s)} s{again}", "·")

    def _finished(self, record: CallRecord) -> None:
        rest = self._lines.pop(record.ref, Line()).text
        if rest.strip():
            self._print(record.ref, rest)
        line = ended_line(record, self._palette.colour(record.ref.name)).plain
        self._print(record.ref, line.partition("  ")[2], "·")

    def _print(self, ref: CallRef, text: str, mark: str = "│") -> None:
        head = (f"{ref} {mark} ", self._palette.colour(ref.name))
        self._console.print(Text.assemble(head, printable(text)), soft_wrap=True)
