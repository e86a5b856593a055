"""What is expected of calls that outlive nearly all others."""

from __future__ import annotations

import bisect
import math
import random
import statistics

import pytest

from catenary.policy.length_tail import LengthTail, may_be_median
from catenary.policy.length_window import WINDOW, LengthWindow


def drawn(count: int) -> list[float]:
    draw = random.Random(3)
    return sorted(draw.lognormvariate(math.log(70), 0.6) for _ in range(count))


def window_of(lengths: list[int]) -> LengthWindow:
    window = LengthWindow()
    for length in lengths:
        window.add((1.0,), length)
    return window


@pytest.mark.parametrize("least", [40, 120, 200])
def test_lengths_beyond_a_point_follow_from_the_body_of_a_lognormal_distribution(least: int) -> None:
    lengths = drawn(100_000)
    longer = lengths[bisect.bisect_right(lengths, least) :]
    q10, q50, q90, mean, deviation = LengthTail.of(lengths).beyond(least) or (0.0,) * 5
    assert q10 == pytest.approx(longer[len(longer) // 10], rel=0.02)
    assert q50 == pytest.approx(longer[len(longer) // 2], rel=0.02)
    assert q90 == pytest.approx(longer[9 * len(longer) // 10], rel=0.03)
    assert mean == pytest.approx(statistics.mean(longer), rel=0.02)
    assert deviation == pytest.approx(statistics.pstdev(longer), rel=0.1)


def test_the_last_of_the_known_lengths_bounds_no_call_that_is_about_to_outlive_it() -> None:
    lengths = [round(length) for length in random.Random(5).sample(drawn(10_000), WINDOW)]
    longest = max(lengths)
    window = window_of(lengths)
    before, after = window.left(None, longest - 1), window.left(None, longest + 1)
    assert before is not None
    assert before.q50 > 10
    assert after is not None
    assert after.q50 == pytest.approx(before.q50, rel=0.1)


@pytest.mark.parametrize("done", [100, 200])
def test_a_call_that_outlives_the_short_kind_is_as_long_as_the_few_of_the_long_kind(done: int) -> None:
    draw = random.Random(7)
    kinds = [400] * 13 + [40] * (WINDOW - 13)
    lengths = [round(kind * draw.lognormvariate(0, 0.2)) for kind in draw.sample(kinds, WINDOW)]
    longer = [length - done for length in lengths if length > done]
    left = window_of(lengths).left(None, done)
    assert left is not None
    assert left.q50 == pytest.approx(statistics.median(longer), rel=0.15)
    assert left.mean == pytest.approx(statistics.mean(longer), rel=0.01)


def test_a_median_is_refuted_where_five_or_more_lie_on_one_side() -> None:
    assert may_be_median(3.0, [])
    assert may_be_median(3.0, [4.0, 5.0, 6.0, 7.0])
    assert not may_be_median(3.0, [4.0, 5.0, 6.0, 7.0, 8.0])
    assert not may_be_median(9.0, [4.0, 5.0, 6.0, 7.0, 8.0])
    assert may_be_median(3.5, [3.0, 4.0, 5.0, 6.0, 7.0, 8.0])


def test_where_all_lengths_are_alike_nothing_is_known_of_longer_ones() -> None:
    assert window_of([50] * 40).left(None, 200) is None


def test_calls_without_any_output_do_not_keep_the_others_from_being_known() -> None:
    left = window_of([0, 0] + [80] * 30).left(None, 60)
    assert left is not None
    assert left.q50 > 0
