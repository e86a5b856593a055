"""The checker of the fault drills finds what it is there to find."""

from __future__ import annotations

import pytest
from histories import History, violations

from catenary.client import (
    CallFinished,
    CallRecord,
    CallRestarted,
    CallTokens,
    Quote,
    RunAdmitted,
    RunEventBody,
    RunFinished,
    RunRefused,
)
from catenary.model.outcome import Outcome
from catenary.model.workflow import CallRef

ADMITTED = RunAdmitted(1.0, 0.5, 0.9, 0.5, "v")
REFUSED = RunRefused(Outcome.REJECTED_INFEASIBLE, "no", Quote(0.0, 0.0))
END = RunFinished(Outcome.SUCCEEDED, True, 1.0, "x", "")


def tokens(offset: int, text: str) -> CallTokens:
    return CallTokens(CallRef("a"), 1, offset, len(text), text)


def finished(text: str) -> CallFinished:
    return CallFinished(CallRecord(CallRef("a"), "m", outcome=Outcome.SUCCEEDED, text=text, output_tokens=len(text)))


RESTARTED = CallRestarted(CallRef("a"), 2, "taken over")


def history(*events: RunEventBody, error: str = "") -> History:
    told, number = History("r", error=error), 0
    for event in events:
        number += not isinstance(event, CallTokens)
        told.events.append((number, event))
    return told


SOUND = history(ADMITTED, tokens(0, "ab"), RESTARTED, tokens(0, "abc"), finished("abc"), END)


def check(told: History, kept: Outcome | None = Outcome.SUCCEEDED) -> str:
    return "\n".join(violations([told], {"r": kept}))


def test_a_sound_history_has_no_violations() -> None:
    assert check(SOUND) == ""
    assert violations([history(REFUSED)], {}) == []
    assert violations([history(error="UNAVAILABLE")], {}) == []


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (history(ADMITTED, error="UNAVAILABLE"), "was admitted and lost"),
        (history(ADMITTED, finished("")), "0 ends"),
        (history(ADMITTED, END, END), "2 ends"),
        (history(ADMITTED, END, RESTARTED), "events after its end"),
        (history(ADMITTED, tokens(0, "ab"), tokens(3, "c"), finished("abc"), END), "tokens from 3 after 2"),
        (history(ADMITTED, tokens(0, "ab"), tokens(1, "bc"), finished("abc"), END), "tokens from 1 after 2"),
        (history(ADMITTED, tokens(0, "ab"), finished("abc"), END), "2 tokens streamed of 3"),
        (history(ADMITTED, tokens(0, "abd"), finished("abc"), END), "3 tokens streamed of 3"),
        (history(ADMITTED, finished(""), finished(""), END), "finished twice"),
        (history(ADMITTED, tokens(0, "a"), finished("a"), tokens(1, "b"), END), "goes on after its end"),
        (history(REFUSED), "was refused and is kept"),
        (history(ADMITTED, REFUSED), "beside its refusal"),
        (history(tokens(0, "a"), END), "does not begin"),
    ],
)
def test_it_finds(told: History, problem: str) -> None:
    assert problem in check(told)


def test_it_finds_gaps_between_numbers_and_another_outcome_in_the_store() -> None:
    gap = History("r", [(1, ADMITTED), (3, END)])
    assert "is number 3 after 1" in check(gap)
    assert "kept as FAILED" in check(SOUND, Outcome.FAILED)
    assert "never told and has not ended" in check(History("r", error="UNAVAILABLE"), None)
