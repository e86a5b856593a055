"""Output lengths learned from what is known of each run."""

from __future__ import annotations

import random

import pytest

from catenary.policy.length_window import LengthWindow

TOKENS_PER_S = 20


def learned(num_far: int) -> LengthWindow:
    """Objectives of 3 to 8 s tell the length; ``num_far`` others among them are of a minute and tell nothing."""
    draw, window = random.Random(1), LengthWindow()
    deadlines = [draw.uniform(3.0, 8.0) for _ in range(120)] + [60.0] * num_far
    draw.shuffle(deadlines)
    for deadline_s in deadlines:
        tokens = round(TOKENS_PER_S * deadline_s) if deadline_s < 60 else draw.randint(60, 160)
        window.add((1.0, deadline_s, 0.0, 100.0), tokens)
    return window


@pytest.mark.parametrize("num_far", [0, 20])
def test_a_few_objectives_far_beyond_the_others_hide_nothing(num_far: int) -> None:
    window = learned(num_far)
    for deadline_s in (3.5, 7.5):
        expected = window.expected((1.0, deadline_s, 0.0, 100.0))
        assert expected == pytest.approx(TOKENS_PER_S * deadline_s, rel=0.05)


def test_far_beyond_the_usual_circumstances_the_mean_is_expected() -> None:
    window = learned(20)
    assert window.expected((1.0, 60.0, 0.0, 100.0)) == pytest.approx(window.expected(None))
