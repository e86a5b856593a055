from __future__ import annotations

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from catenary.core.correction import LEAST_SAMPLES, Correction


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), max_size=300), st.floats(1, 10))
def test_the_factor_stays_within_its_bound(calls: list[tuple[float, float]], bound: float) -> None:
    correction = Correction(bound)
    for measured_s, predicted_s in calls:
        correction.observe(measured_s, predicted_s)
        assert 1 / bound * 0.999 <= correction.factor <= bound * 1.001


def test_an_engine_that_is_half_again_as_slow_is_learned() -> None:
    correction, rng = Correction(2.0), random.Random(1)
    for _ in range(200):
        correction.observe(1.5 * rng.uniform(0.9, 1.1), 1.0)
    assert math.isclose(correction.factor, 1.5, rel_tol=0.03)


def test_one_odd_run_moves_nothing() -> None:
    correction = Correction(2.0)
    for _ in range(100):
        correction.observe(1.0, 1.0)
    for _ in range(20):
        correction.observe(1000.0, 1.0)
    assert math.isclose(correction.factor, 1.0)


def test_few_calls_move_nothing() -> None:
    correction = Correction(2.0)
    for _ in range(LEAST_SAMPLES - 1):
        correction.observe(2.0, 1.0)
    assert correction.factor == 1.0


def test_times_that_are_no_times_are_ignored() -> None:
    correction = Correction(2.0)
    for value in (0.0, -1.0, math.nan):
        for _ in range(50):
            correction.observe(value, 1.0)
            correction.observe(1.0, value)
    assert correction.factor == 1.0
    assert not correction.ratios


def test_the_error_is_that_of_the_corrected_prediction() -> None:
    correction = Correction(2.0)
    assert correction.error == 0.0
    for _ in range(200):
        correction.observe(1.5, 1.0)
    assert math.isclose(correction.error, 0.0, abs_tol=1e-6)
    for _ in range(LEAST_SAMPLES):
        correction.observe(3.0, 1.0)
    assert math.isclose(correction.error, 0.0, abs_tol=1e-6)
    bounded = Correction(1.0)
    for _ in range(50):
        bounded.observe(2.0, 1.0)
    assert math.isclose(bounded.error, 0.5)
