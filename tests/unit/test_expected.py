"""Runs that are expected, where somebody must be left out."""

from __future__ import annotations

import pytest

from catenary.core.gateway.expected import Expected
from catenary.policy.ordering.triage import Claim, keep
from catenary.policy.span import Span


def claim(name: str, work_s: float) -> Claim:
    return Claim.of(name, Span(1.0, 0.0), 2.0, work_s, 0.0, 1.0)


def names(kept: list[Claim]) -> list[str]:
    return [one.name for one in kept]


def test_what_came_is_expected_again_a_horizon_later_until_then() -> None:
    expected = Expected(4.0)
    expected.arrived("a", claim("run", 0.5), 10.0)
    (again,) = expected.claims("a", 13.9)
    assert again.latest_start == pytest.approx(claim("run", 0.5).latest_start + 4.0)
    assert expected.claims("b", 11.0) == ()
    assert expected.claims("a", 14.0) == ()


def test_without_a_horizon_nothing_is_expected() -> None:
    expected = Expected(0.0)
    expected.arrived("a", claim("run", 0.5), 10.0)
    assert expected.claims("a", 10.0) == ()


@pytest.mark.parametrize(("work_s", "stays"), [(8.0, True), (4.0, False)])
def test_an_admitted_run_gives_way_to_cheaper_ones_and_not_to_equals(work_s: float, stays: bool) -> None:
    expected = Expected(1.0)
    expected.arrived("a", claim("other", work_s), 0.0)
    admitted = Claim.of("admitted", Span(1.0, 0.0), 2.0, 8.0, 0.0, 1.0)
    kept = keep([admitted, *expected.claims("a", 0.0)], 1, 0.0)
    assert ("admitted" in names(kept)) is stays
