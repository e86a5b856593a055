"""The lines between the texts of a run: admitted, a call under way, a call that ended."""

from __future__ import annotations

from rich.text import Text

from catenary.cli.palette import seconds, signed
from catenary.client import CallRecord, RunAdmitted
from catenary.model.outcome import Outcome


def admitted_line(event: RunAdmitted) -> Text:
    line = Text.assemble(("admitted", "bold green"), f": predicted {seconds(event.predicted_s)} s, ")
    if not event.deadline_s:
        return line.append("no deadline")
    return line.append(
        f"deadline {seconds(event.deadline_s)} s, slack {signed(event.slack_s)} s, "
        f"{event.probability:.0%} likely in time"
    )


def call_line(name: str, colour: str, rest: str, rest_style: str = "dim") -> Text:
    return Text.assemble(("● ", colour), (name, f"bold {colour}"), "  ", (rest, rest_style))


def ended_line(record: CallRecord, colour: str) -> Text:
    """What a call took, or why it did not run."""
    name = str(record.ref)
    if record.outcome is Outcome.SKIPPED:
        return call_line(name, colour, "skipped: its branch was not taken")
    if record.outcome is not Outcome.SUCCEEDED:
        return call_line(name, colour, f"{record.outcome}: {record.error}".removesuffix(": "), "red")
    figures = f"{record.output_tokens} tokens in {seconds(record.duration_s)} s on {record.worker}"
    return call_line(name, colour, f"{figures}, slack {signed(record.slack_after_s)} s")


def printable(text: str) -> str:
    """Without the control characters that a terminal would obey, line ends and tabs apart."""
    return text.translate(_CONTROLS)


_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)])
