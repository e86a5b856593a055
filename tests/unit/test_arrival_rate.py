"""How fast runs arrive now."""

from __future__ import annotations

import pytest

from catenary.policy.arrival_rate import jumping_rate, present_rate


def rate_at(times: list[float], now: float) -> tuple[float, float]:
    return present_rate(lambda window_s: sum(at > now - window_s for at in times), now)


def steadily(per_s: float, begin: float, end: float) -> list[float]:
    return [begin + number / per_s for number in range(round((end - begin) * per_s))]


def test_a_steady_rate_is_counted_over_the_longest_window() -> None:
    rate, over_s = rate_at(steadily(8.0, 0.0, 60.0), 60.0)
    assert rate == pytest.approx(8.0, rel=0.02)
    assert over_s == 16.0


def test_a_jump_shows_within_two_seconds() -> None:
    rate, over_s = rate_at(steadily(8.0, 0.0, 60.0) + steadily(27.0, 60.0, 62.0), 62.0)
    assert rate == pytest.approx(27.0, rel=0.05)
    assert over_s == 2.0


def test_one_second_that_is_somewhat_fuller_is_chance() -> None:
    rate, over_s = rate_at(steadily(8.0, 0.0, 60.0) + steadily(13.0, 60.0, 61.0), 61.0)
    assert rate < 9.0
    assert over_s == 16.0


def test_the_end_of_a_crowd_shows() -> None:
    assert rate_at(steadily(20.0, 0.0, 60.0) + steadily(4.0, 60.0, 64.0), 64.0)[0] == pytest.approx(4.0, rel=0.3)


def test_what_began_just_now_counts_over_its_own_time() -> None:
    assert rate_at(steadily(8.0, 0.0, 3.0), 3.0)[0] == pytest.approx(8.0, rel=0.05)


def test_what_may_follow_chance_jumps_within_a_second_and_is_steady_otherwise() -> None:
    times = steadily(8.0, 0.0, 60.0) + steadily(27.0, 60.0, 61.0)
    assert jumping_rate(lambda window_s: sum(at > 61.0 - window_s for at in times), 61.0) >= 17.0
    assert jumping_rate(lambda window_s: 8.0 * window_s, 60.0) == 8.0
