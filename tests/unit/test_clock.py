from __future__ import annotations

import pytest

from catenary.runtime.clock import from_remaining_us, to_remaining_us


@pytest.mark.parametrize("budget_s", [12.5, 0.0, -3.0])
def test_a_budget_survives_the_way_between_two_clocks(budget_s: float) -> None:
    sender_now_s, receiver_now_s = 1_000.0, 77.0
    remaining_us = to_remaining_us(sender_now_s + budget_s, sender_now_s)
    assert from_remaining_us(remaining_us, receiver_now_s) == pytest.approx(receiver_now_s + budget_s)


@pytest.mark.parametrize("at_s", [float("inf"), float("-inf"), 1e18, -1e18])
def test_a_budget_beyond_the_wire_is_the_longest_that_it_carries(at_s: float) -> None:
    remaining_us = to_remaining_us(at_s, 10.0)
    assert abs(remaining_us) == 10**15
    assert (remaining_us > 0) == (at_s > 0)
