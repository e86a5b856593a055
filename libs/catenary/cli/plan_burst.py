"""``catenary plan --burst``: what must stand awake for a jump of the arrivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from catenary.cli.plan_files import Question
from catenary.simulation.capacity import accelerators
from catenary.simulation.planning import Answer, Target, Verdict
from catenary.simulation.standing import Jump, Standing, standing

LONG_WAIT_S = 5.0
"""Runs due in seconds do not wait so long for capacity."""


def standing_answers(
    question: Question, usual: Answer, target: Target, burst: float, waits_s: Sequence[float]
) -> list[Standing]:
    """One for each time after which more can be awake; by default what the profiles say of waking and of starting."""
    return [
        standing(question.base, question.streams, usual, Jump(burst, wait_s), target)
        for wait_s in waits_s or _profiled_waits_s(question)
    ]


def show_standing(console: Console, found: Sequence[Standing], usual: Verdict, costs: Mapping[str, int]) -> None:
    """``usual``: what the rate without jumps needs; ``costs``: accelerators of one replica by model."""
    if not found:
        return
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
    for one in found:
        console.print(standing_cost(one, usual, costs))


def standing_cost(one: Standing, usual: Verdict, costs: Mapping[str, int]) -> str:
    """What it costs to be ready for the jump."""
    stand, needed = accelerators(one.answer.verdict.replicas, costs), accelerators(usual.replicas, costs)
    wait = f"where more takes {one.jump.ready_in_s:g} s"
    if not one.answer.reached:
        return f"{wait}: out of reach, {one.answer.reason}"
    if stand <= needed:
        return f"{wait}: the {needed} accelerators of the usual rate do"
    more = stand - needed
    return (
        f"{wait}: {stand} accelerators stand awake for {needed}, {more * 3600:,} accelerator-seconds an hour in reserve"
    )


def _named(verdict: Verdict) -> str:
    return ", ".join(f"{model} {count}" for model, count in verdict.replicas.items())


def hint(question: Question) -> str:
    """Whether capacity has to stand awake, where nobody asked."""
    wait_s = max(_profiled_waits_s(question), default=0.0)
    if wait_s < LONG_WAIT_S:
        return ""
    return (
        f"one more replica takes up to {wait_s:.3g} s to be ready: --burst N says what must stand awake, and the cost"
    )


def _profiled_waits_s(question: Question) -> list[float]:
    """The slowest model's time to wake and to start, where they are known."""
    base = question.base
    used = {call.call.model for stream in question.streams for call in stream.workflow.calls}
    sections = [base.models[model] for model in used]
    wake_s = base.wake_s if base.wake_s is not None else max(section.wake_s for section in sections)
    return sorted({wait_s for wait_s in (wake_s, max(section.start_s for section in sections)) if wait_s > 0})
