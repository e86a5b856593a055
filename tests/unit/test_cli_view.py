"""What a run looks like: its timeline, and its text as it comes."""

from __future__ import annotations

import io

import pytest
from fake_gateway import admitted, finished, record, started, tokens
from rich.console import Console, RenderableType

from catenary.cli.gantt import Axis, Gantt
from catenary.cli.line_view import LineView
from catenary.cli.live_view import LiveView
from catenary.cli.palette import Palette, seconds, signed
from catenary.cli.report import report
from catenary.client import CallRecord, CallRestarted, CallStarted, CallTokens, Run
from catenary.model.outcome import Outcome, State
from catenary.model.workflow import CallRef

CALLS = (
    record("outline", duration_s=2.0, start_s=0.0, predicted_s=3.0),
    record("facts", duration_s=4.0, start_s=2.0, predicted_s=1.0, slack_after_s=-0.5),
    record("rewrite", outcome=Outcome.SKIPPED, worker="", duration_s=0.0, start_s=6.0, predicted_s=0.0),
    record("translate", index=10, start_s=6.0, duration_s=2.0),
)


def run(e2e_s: float = 8.0, deadline_s: float = 10.0, calls: tuple[CallRecord, ...] = CALLS) -> Run:
    met = 0 < e2e_s <= deadline_s
    return Run("run-1", "review", "v1", State.FINISHED, Outcome.SUCCEEDED, "", met, deadline_s, e2e_s, 4.0, calls=calls)


def shown(renderable: RenderableType, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, record=True, highlight=False)
    console.print(renderable)
    return [line.rstrip() for line in console.export_text().splitlines()]


def row(lines: list[str], name: str) -> str:
    return next(line for line in lines if line.startswith(name))


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    assert max(len(line) for line in shown(report(run(), Palette()), width)) <= width


@pytest.mark.parametrize("width", [80, 120])
def test_every_figure_of_a_call_is_there(width: int) -> None:
    lines = shown(report(run(), Palette()), width)
    figures = [line for line in lines if line.startswith("facts")][1].split()
    expected = ["w0", "0.10", "0.20", "4.00", "1.00", "+4.00", "-0.50", "12", "2"]
    assert figures == ["facts", *(["small"] if width == 120 else []), *expected]


def test_bars_lie_on_one_axis_with_the_deadline_in_every_row() -> None:
    lines = shown(Gantt(run(), Palette()), 80)
    bars = {name: row(lines, name) for name in ("outline", "facts", "rewrite", "translate[10]")}
    assert len({bar.index("┃") for bar in bars.values()}) == 1
    assert bars["facts"].index("━") >= bars["outline"].rindex("━")
    assert bars["translate[10]"].index("━") > bars["facts"].index("━")
    assert bars["outline"].index("◇") > bars["outline"].rindex("━")
    assert "skipped" in bars["rewrite"]
    assert lines[0].strip() == "deadline 10.0 s"


def test_a_bar_that_passes_the_deadline_goes_on_behind_it() -> None:
    late = run(e2e_s=9.0, deadline_s=5.0)
    bar = row(shown(Gantt(late, Palette()), 80), "facts")
    assert bar.index("┃") < bar.rindex("━")


def test_without_utf8_the_bars_are_ascii() -> None:
    raw = io.BytesIO()
    text = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    Console(file=text, width=80).print(Gantt(run(), Palette()))
    text.flush()
    assert b"====" in raw.getvalue()


def test_no_deadline_shows_no_slack() -> None:
    lines = shown(report(run(deadline_s=0.0), Palette()), 80)
    assert "┃" not in "".join(lines)
    assert any(" DONE " in line and "no deadline" in line for line in lines)
    assert [line for line in lines if line.startswith("facts")][1].split()[6:8] == ["-", "-"]


@pytest.mark.parametrize(("span_s", "width"), [(0.001, 60), (0.9, 20), (8.0, 64), (59.9, 64), (86_400.0, 200)])
def test_ticks_have_room_for_their_labels(span_s: float, width: int) -> None:
    axis = Axis(span_s, width)
    assert axis.step_s() / span_s * width >= 8
    assert axis.cell(span_s) == width - 1


def test_lines_carry_their_call_and_end_where_the_text_does() -> None:
    console = Console(file=io.StringIO(), width=80, record=True)
    with LineView(console, Palette()) as view:
        for event in (
            admitted(),
            started("outline"),
            started("facts"),
            tokens("outline", 0, "one\ntw"),
            tokens("facts", 0, "x " * 80),
            tokens("outline", 1, "o\x1b[31m\r\a"),
            finished("outline"),
        ):
            view.feed(event)
    lines = console.export_text().splitlines()
    assert lines[0].startswith("admitted: predicted 4.00 s, deadline 8.00 s, slack +4.00 s, 90% likely")
    assert lines[1] == "outline · small on w0, slack +3.00 s"
    assert lines[3] == "outline │ one"
    assert lines[4].startswith("facts │ x x")
    assert len(lines[4]) <= 100 + len("facts │ ")
    assert lines[5:] == ["outline │ two[31m", "outline · 3 tokens in 1.50 s on w0, slack +3.50 s"]


def test_a_restarted_call_forgets_its_text() -> None:
    console = Console(file=io.StringIO(), width=80, record=True)
    with LineView(console, Palette()) as view:
        view.feed(tokens("outline", 0, "void"))
        view.feed(CallRestarted(CallRef("outline"), 2, "worker lost"))
        view.feed(tokens("outline", 0, "new"))
        view.feed(finished("outline"))
    text = console.export_text()
    assert "void" not in text
    assert "starts again: worker lost" in text


def test_a_terminal_shows_the_end_of_each_call_under_way_and_the_whole_of_those_that_ended() -> None:
    console = Console(file=io.StringIO(), width=80, height=20, record=True, force_terminal=True)
    with LiveView(console, Palette()) as view:
        for index in range(6):
            ref = CallRef("translate", index)
            view.feed(CallStarted(ref, 1, "w0", "small", 12, 3.0))
            view.feed(CallTokens(ref, 1, 0, 5, "one\ntwo\nthree\nfour\n"))
        panes = shown(view._panes, 80)
        view.feed(finished("outline", text="the whole\ntext"))
    assert "● translate[0]  small on w0, 5 tokens" in panes
    assert "  four" in panes
    assert "  one" not in panes
    text = console.export_text()
    assert "● outline  3 tokens in 1.50 s on w0, slack +3.50 s" in text
    assert "  the whole\n" in text.replace(" " * 69, "")


def test_more_calls_than_fit_are_counted() -> None:
    console = Console(file=io.StringIO(), width=80, height=11, force_terminal=True)
    view = LiveView(console, Palette())
    for index in range(6):
        view.feed(CallStarted(CallRef("translate", index), 1, "w0", "small", 12, 3.0))
    with console.capture() as captured:
        console.print(view._panes)
    assert "and 4 more calls" in captured.get()


@pytest.mark.parametrize(
    ("value", "text"), [(0.1234, "0.123"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (0.0, "0.000")]
)
def test_seconds_have_three_figures(value: float, text: str) -> None:
    assert seconds(value) == text
    assert signed(-value - 1e-9) == f"-{text}"
