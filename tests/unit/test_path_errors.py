"""What finished runs tell of the spread of those that have not."""

from __future__ import annotations

import pytest

from catenary.policy.path_errors import ENOUGH, PathErrors


def observed(errors_s: list[float], variance: float = 4.0) -> PathErrors:
    errors = PathErrors(8)
    for error_s in errors_s:
        errors.observe("v", 0, error_s, variance)
    return errors


def test_a_path_whose_errors_are_half_of_its_spread_has_five_eighths_of_the_variance() -> None:
    assert observed([1.0, -1.0] * ENOUGH).share("v", 0) == pytest.approx(1 - 0.5 * (1 - 0.25))


def test_larger_errors_than_the_calls_add_up_to_widen_nothing() -> None:
    assert observed([6.0] * ENOUGH).share("v", 0) == 1.0


def test_a_few_runs_tell_nothing_and_neither_do_those_of_another_workflow_or_stage() -> None:
    assert observed([0.0] * (ENOUGH - 1)).share("v", 0) == 1.0
    assert observed([0.0] * ENOUGH).share("v", 1) == 1.0
    assert observed([0.0] * ENOUGH).share("w", 0) == 1.0


def test_the_latest_runs_count() -> None:
    assert observed([0.0] * 500 + [2.0] * 500).share("v", 0) == pytest.approx(1.0, abs=0.01)


def test_what_was_observed_longest_ago_is_forgotten() -> None:
    errors = observed([0.0] * ENOUGH)
    for number in range(8):
        errors.observe(f"w{number}", 0, 1.0, 1.0)
    assert errors.share("v", 0) == 1.0


def test_what_was_learned_is_known_to_another_the_latest_first() -> None:
    errors, again = observed([1.0] * ENOUGH), PathErrors(8)
    errors.observe("w", 2, 1.0, 1.0)
    again.learn(errors.known(9))
    assert list(again.known(9)) == list(errors.known(9)) == [("w", 2), ("v", 0)]
    assert again.share("v", 0) == errors.share("v", 0) < 1.0
    assert list(errors.known(1)) == [("w", 2)]
