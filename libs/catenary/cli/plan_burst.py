"""``catenary plan --burst``: what must stand awake for a jump of the arrivals."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from catenary.cli.plan_files import Question
from catenary.simulation.planning import Answer, Target, Verdict
from catenary.simulation.standing import Jump, Standing, standing


def standing_answers(
    question: Question, usual: Answer, target: Target, burst: float, waits_s: Sequence[float]
) -> list[Standing]:
    """One for each time after which more can be awake; by default what the profiles say of waking and of starting."""
    return [
        standing(question.base, question.streams, usual, Jump(burst, wait_s), target)
        for wait_s in waits_s or _profiled_waits_s(question)
    ]


def show_standing(found: Sequence[Standing]) -> None:
    if not found:
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"a jump to {found[0].jump.times:g} times the rate, until more replicas take calls:")
    table = Table(
        "more after", "stand awake", "replicas", "in time", "with the usual ones", box=SIMPLE_HEAD, pad_edge=False
    )
    for one in found:
        verdict = one.answer.verdict
        table.add_row(
            f"{one.jump.ready_in_s:g} s",
            _named(verdict),
            str(sum(verdict.replicas.values())),
            f"{verdict.attainment:.1%}" + ("" if one.answer.reached else ", out of reach"),
            f"{one.lean.attainment:.1%}",
        )
    console.print(table)


def _named(verdict: Verdict) -> str:
    return ", ".join(f"{model} {count}" for model, count in verdict.replicas.items())


def _profiled_waits_s(question: Question) -> list[float]:
    """The slowest model's time to wake and to start, where they are known."""
    base = question.base
    used = {call.call.model for stream in question.streams for call in stream.workflow.calls}
    sections = [base.models[model] for model in used]
    wake_s = base.wake_s if base.wake_s is not None else max(section.wake_s for section in sections)
    return sorted({wait_s for wait_s in (wake_s, max(section.start_s for section in sections)) if wait_s > 0})
