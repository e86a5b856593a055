"""What a run still has before it, along its paths."""

from __future__ import annotations

import pytest

from catenary.policy.slack import PathCall, longest, shortest_way, tails
from catenary.policy.span import Span

CALLS = [
    PathCall("first", ("maybe", "last"), Span(1.0)),
    PathCall("maybe", ("last",), Span(4.0), probability=0.5),
    PathCall("last", (), Span(2.0)),
]


def test_a_branch_counts_by_its_probability_and_not_at_all_for_what_a_run_needs_at_least() -> None:
    assert tails(CALLS)["first"].mean == pytest.approx(4.0, abs=0.8)
    assert longest(CALLS).mean > 4.0
    assert longest(shortest_way(CALLS)) == Span(3.0)
    assert tails(CALLS)["last"] == Span(0.0)
