"""A bar per call on a common time axis, with the deadline marked."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from catenary.cli.palette import Palette, seconds
from catenary.client import CallRecord, Run
from catenary.model.outcome import Outcome

_MIN_BAR = 16
_DIM = Style(dim=True)
_RED = Style(color="red", bold=True)


@dataclass(frozen=True, slots=True)
class Glyphs:
    queued: str = "┄"
    prefill: str = "─"
    decode: str = "━"
    predicted: str = "◇"
    deadline: str = "┃"
    tick: str = "┴"
    rule: str = "─"


ASCII = Glyphs(queued=".", prefill="-", decode="=", predicted="o", deadline="|", tick="+", rule="-")


class Gantt:
    """A rich renderable. It takes the width it is given, and at least that of the labels and 16 cells of bar."""

    def __init__(self, run: Run, palette: Palette) -> None:
        self._run = run
        self._palette = palette
        self._labels = max((len(str(call.ref)) for call in run.calls), default=0)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        labels = min(self._labels, 24)
        width = max(_MIN_BAR, options.max_width - labels - 2)
        glyphs = Glyphs() if console.encoding.lower().startswith("utf") else ASCII
        axis = Axis(_span(self._run), width)
        yield from self._deadline_label(axis, labels)
        for call in self._run.calls:
            style = Style(color=self._palette.colour(call.ref.name))
            yield Segment(f"{_cut(str(call.ref), labels):<{labels}}  ", style)
            yield from self._bar(call, axis, glyphs, style)
            yield Segment.line()
        yield from _scale(axis, labels, glyphs)
        yield from _legend(labels, glyphs, bool(self._run.deadline_s))

    def _bar(self, call: CallRecord, axis: Axis, glyphs: Glyphs, style: Style) -> RenderResult:
        cells = [Segment(" ")] * axis.width
        if call.outcome is Outcome.SKIPPED:
            note = "skipped"
            first = min(axis.cell(call.start_s), max(0, axis.width - len(note)))
            for offset, letter in enumerate(note[: axis.width - first]):
                cells[first + offset] = Segment(letter, _DIM)
        elif call.duration_s > 0:
            _draw(cells, call, axis, glyphs, style)
        if self._run.deadline_s:
            cells[axis.cell(self._run.deadline_s)] = Segment(glyphs.deadline, _RED)
        yield from cells

    def _deadline_label(self, axis: Axis, labels: int) -> RenderResult:
        if not self._run.deadline_s:
            return
        text = f"deadline {seconds(self._run.deadline_s)} s"
        first = max(0, min(axis.cell(self._run.deadline_s) - len(text) + 1, axis.width - len(text)))
        yield Segment(" " * (labels + 2 + first) + text, _RED)
        yield Segment.line()


@dataclass(frozen=True, slots=True)
class Axis:
    """``span_s`` seconds over ``width`` cells."""

    span_s: float
    width: int

    def cell(self, at_s: float) -> int:
        return max(0, min(self.width - 1, int(at_s / self.span_s * (self.width - 1) + 0.5)))

    def step_s(self) -> float:
        """A round distance between ticks that leaves room for their labels."""
        rough = self.span_s / max(1, self.width // 10)
        power = 10.0 ** math.floor(math.log10(rough))
        return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def _span(run: Run) -> float:
    ends = [call.start_s + max(call.duration_s, call.predicted_s) for call in run.calls]
    return max([run.e2e_s, run.deadline_s, 1e-3, *ends])


def _draw(cells: list[Segment], call: CallRecord, axis: Axis, glyphs: Glyphs, style: Style) -> None:
    start, end = axis.cell(call.start_s), axis.cell(call.start_s + call.duration_s)
    first_work = axis.cell(call.start_s + min(call.queue_s, call.duration_s))
    first_token = axis.cell(call.start_s + min(call.ttft_s or call.duration_s, call.duration_s))
    for position in range(start, end + 1):
        if position < first_work:
            cells[position] = Segment(glyphs.queued, _DIM)
        elif position < first_token:
            cells[position] = Segment(glyphs.prefill, style)
        else:
            cells[position] = Segment(glyphs.decode, style + Style(bold=True))
    if call.predicted_s > 0:
        cells[axis.cell(call.start_s + call.predicted_s)] = Segment(glyphs.predicted, Style(bold=True))


def _scale(axis: Axis, labels: int, glyphs: Glyphs) -> RenderResult:
    rule, text = [glyphs.rule] * axis.width, [" "] * axis.width
    step = axis.step_s()
    digits = max(0, -math.floor(math.log10(step)))
    for tick in range(int(axis.span_s / step) + 1):
        cell, label = axis.cell(tick * step), f"{tick * step:.{digits}f} s"
        rule[cell] = glyphs.tick
        first = min(cell, axis.width - len(label))
        text[first : first + len(label)] = label
    for row in (rule, text):
        yield Segment(" " * (labels + 2) + "".join(row), _DIM)
        yield Segment.line()


def _legend(labels: int, glyphs: Glyphs, has_deadline: bool) -> RenderResult:
    parts = [
        f"{glyphs.queued * 2} queued",
        f"{glyphs.prefill * 2} prompt",
        f"{glyphs.decode * 2} tokens",
        f"{glyphs.predicted} predicted end",
    ]
    if has_deadline:
        parts.append(f"{glyphs.deadline} deadline")
    yield Segment(" " * (labels + 2) + "   ".join(parts), _DIM)
    yield Segment.line()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
