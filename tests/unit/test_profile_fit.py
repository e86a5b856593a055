from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catenary.core.profile_grid import EngineBounds, plan_grid
from catenary.model.profile import EngineProfile
from catenary.model.profile_point import GridPoint, PointKind, ProfilePoint
from catenary.policy.profile_fit import fit_profile, non_negative_least_squares, predict_point_s

BASE = EngineProfile("m")
TRUTH = EngineProfile(
    "m",
    prefill_base_s=0.004,
    prefill_token_s=0.0001,
    prefill_token2_s=2e-8,
    step_base_s=0.012,
    step_seq_s=0.0005,
    step_context_s=4e-7,
    overhead_s=0.003,
)
GRID = plan_grid(EngineBounds(8192, 64), quick=False)
COEFFICIENTS = ("prefill_base_s", "prefill_token_s", "prefill_token2_s", "step_base_s", "step_seq_s", "step_context_s")


def measured(profile: EngineProfile, noise: float, seed: int = 1) -> list[ProfilePoint]:
    rng = random.Random(seed)
    return [ProfilePoint(p, predict_point_s(profile, p) * (1 + rng.uniform(-noise, noise))) for p in GRID]


@pytest.mark.parametrize("name", [*COEFFICIENTS, "overhead_s"])
def test_exact_points_give_the_coefficients_back(name: str) -> None:
    fit = fit_profile(BASE, measured(TRUTH, 0.0))
    assert getattr(fit.profile, name) == pytest.approx(getattr(TRUTH, name), rel=1e-6)
    assert fit.residual_p95 < 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_noise_of_two_per_cent_moves_predictions_by_little_more(seed: int) -> None:
    fit = fit_profile(BASE, measured(TRUTH, 0.02, seed))
    for point in GRID:
        assert predict_point_s(fit.profile, point) == pytest.approx(predict_point_s(TRUTH, point), rel=0.03)
    assert 0 < fit.residual_median <= fit.residual_p95 < 0.03


@pytest.mark.parametrize("seed", range(5))
def test_outlying_points_hardly_move_the_fit(seed: int) -> None:
    points = measured(TRUTH, 0.01, seed)
    for index in random.Random(seed).sample(range(len(points)), len(points) // 10):
        points[index] = replace(points[index], measured_s=points[index].measured_s * 3)
    fit = fit_profile(BASE, points)
    for name in ("step_base_s", "step_seq_s", "prefill_token_s"):
        assert getattr(fit.profile, name) == pytest.approx(getattr(TRUTH, name), rel=0.05)


def test_an_engine_without_cost_gives_small_coefficients() -> None:
    points = [ProfilePoint(point, 0.0) for point in GRID]
    fit = fit_profile(BASE, points)
    assert all(getattr(fit.profile, name) == 0 for name in COEFFICIENTS)


def test_what_one_batch_size_cannot_separate_falls_to_the_base() -> None:
    points = [
        ProfilePoint(GridPoint(PointKind.PREFILL, 16, 1), 0.030),
        ProfilePoint(GridPoint(PointKind.PREFILL, 64, 1), 0.030),
        ProfilePoint(GridPoint(PointKind.DECODE, 16, 8), 0.010),
    ]
    fit = fit_profile(BASE, points).profile
    assert (fit.step_base_s, fit.step_seq_s, fit.step_context_s) == pytest.approx((0.010, 0, 0))
    assert (fit.prefill_base_s, fit.overhead_s) == pytest.approx((0.020, 0))


def test_fields_that_are_not_fitted_are_kept() -> None:
    base = replace(BASE, max_num_seqs=7, start_s=3.0, origin="measured")
    fit = fit_profile(base, measured(TRUTH, 0.0)).profile
    assert (fit.model, fit.max_num_seqs, fit.start_s, fit.origin) == ("m", 7, 3.0, "measured")


def test_a_fit_without_decode_points_says_so() -> None:
    with pytest.raises(ValueError, match="0 decode and 1 prefill"):
        fit_profile(BASE, [ProfilePoint(GridPoint(PointKind.PREFILL, 16, 1), 0.03)])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.floats(-5, 5), min_size=4, max_size=4), min_size=4, max_size=9), st.randoms())
def test_the_solution_is_never_negative_and_never_worse_than_zero(rows: list[list[float]], rng: random.Random) -> None:
    matrix = np.array(rows)
    target = np.array([rng.uniform(-3, 3) for _ in rows])
    solution = non_negative_least_squares(matrix, target)
    assert (solution >= 0).all()
    assert np.linalg.norm(matrix @ solution - target) <= np.linalg.norm(target) + 1e-9


def test_prompts_admitted_in_two_iterations_cost_one_more_step() -> None:
    points = [
        ProfilePoint(p, predict_point_s(TRUTH, p, steps), steps=steps)
        for p in GRID
        for steps in ((1, 2) if p.kind is PointKind.MIXED else (1,))
    ]
    fit = fit_profile(BASE, points)
    assert fit.profile.prefill_base_s == pytest.approx(TRUTH.prefill_base_s, rel=1e-6)
    assert fit.residual_p95 < 1e-9
