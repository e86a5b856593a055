"""From measured points to the coefficients of an iteration model.

An iteration that admits prompts of n tokens into a batch takes ``sum(prefill(n)) + step(batch, context)`` and gives
each sequence one token. Decode points fix the step; what a first token takes beyond one fixes prefill and overhead.
Where that leaves much unexplained, prefill is a curve over the tokens of the iteration instead (policy/curve_fit).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from catenary.model.profile import EngineProfile
from catenary.model.profile_point import GridPoint, PointKind, ProfilePoint
from catenary.policy.curve_fit import WORST_ERROR, burst_s, fit_curve

Array = NDArray[np.float64]

SHORTEST_S = 1e-6
HUBER_SCALES = 1.345
LEAST_SCALE = 0.002
REWEIGHTINGS = 10
TIE = 1e-9
NOTABLY_BETTER = 0.9
LEAST_CURVE_ERROR = 0.02


@dataclass(frozen=True, slots=True)
class Fit:
    """The fitted profile, its points with ``fitted_s`` set, and the relative errors over them."""

    profile: EngineProfile
    points: tuple[ProfilePoint, ...]
    residual_median: float
    residual_p95: float


def predict_point_s(profile: EngineProfile, point: GridPoint, steps: int = 1, iteration_tokens: int = 0) -> float:
    """Seconds that ``profile`` gives for what ``point`` measures in ``steps`` iterations, without its correction."""
    if point.kind is PointKind.JOINING:
        return profile.prefill_s(point.prompt_tokens)
    if profile.prefill_curve and point.kind is not PointKind.DECODE:
        return burst_s(profile, point, iteration_tokens)
    step_s = _steps_s(profile, point, steps)
    if point.kind is PointKind.DECODE:
        return step_s
    return profile.overhead_s + point.batch * profile.prefill_s(point.prompt_tokens) + step_s


def fit_profile(base: EngineProfile, points: Sequence[ProfilePoint], iteration_tokens: int = 0) -> Fit:
    """Rule: non-negative least squares on relative errors, outlying points weighed down (Huber), steps before prefill.

    Inputs: measured seconds of each point; ``base`` gives the fields that are not fitted; an iteration computes
    ``iteration_tokens`` prompt tokens at most (0: any number). Tie-break: the sum before
    the curve, fewer coefficients, then the order base, token, token^2. Trade-off: steps are fitted from decode points
    alone, so an engine that admits prompts unevenly cannot bend them. Source: the form follows Vidur; weights after
    Huber, Robust Statistics.

    Raises:
        ValueError: there is no decode or no prefill point.
    """
    decode = [p for p in points if p.point.kind is PointKind.DECODE]
    prefill = [p for p in points if p.point.kind is not PointKind.DECODE]
    if not decode or not prefill:
        raise ValueError(f"points: {len(decode)} decode and {len(prefill)} prefill; at least one of each is needed")
    rows = [[1.0, p.point.batch, p.point.context_tokens] for p in decode]
    steps = _solve(rows, [p.measured_s for p in decode], _scales(decode))
    profile = replace(base, step_base_s=steps[0], step_seq_s=steps[1], step_context_s=steps[2], prefill_curve=())
    beyond = [p.measured_s - _steps_before(profile, p) for p in prefill]
    rows = [_prefill_row(p.point) for p in prefill]
    coefficients = _solve(rows, beyond, _scales(prefill))
    profile = replace(
        profile,
        prefill_base_s=coefficients[0],
        prefill_token_s=coefficients[1],
        prefill_token2_s=coefficients[2],
        overhead_s=coefficients[3],
    )
    curved = fit_curve(profile, prefill, iteration_tokens)
    if curved is not None and _is_better(curved, profile, prefill, iteration_tokens):
        profile = curved
    return _with_residuals(profile, points, iteration_tokens)


def _is_better(
    curved: EngineProfile, plain: EngineProfile, prefill: Sequence[ProfilePoint], iteration_tokens: int
) -> bool:
    """The sum is kept while it explains the first tokens well, and where the curve explains them little better."""
    with_sum, with_curve = (
        np.mean(np.minimum(WORST_ERROR, _errors(_fitted(profile, prefill, iteration_tokens))))
        for profile in (plain, curved)
    )
    return bool(with_sum > LEAST_CURVE_ERROR and with_curve < NOTABLY_BETTER * with_sum)


def _steps_s(profile: EngineProfile, point: GridPoint, steps: int) -> float:
    """Each sequence takes part in one of the iterations, so only their fixed part counts more than once."""
    return profile.step_s(point.batch, point.context_tokens) + (steps - 1) * profile.step_base_s


def _steps_before(profile: EngineProfile, point: ProfilePoint) -> float:
    return 0.0 if point.point.kind is PointKind.JOINING else _steps_s(profile, point.point, point.steps)


def _prefill_row(point: GridPoint) -> list[float]:
    n, k = float(point.prompt_tokens), float(point.batch)
    if point.kind is PointKind.JOINING:
        return [1.0, n, n * n, 0.0]
    return [k, k * n, k * n * n, 1.0]


def _scales(points: Sequence[ProfilePoint]) -> list[float]:
    return [max(p.measured_s, SHORTEST_S) for p in points]


def _solve(rows: Sequence[Sequence[float]], values: Sequence[float], scales: Sequence[float]) -> list[float]:
    """Non-negative x that makes ``(rows @ x - values) / scales`` small, large errors counted linearly."""
    weights = 1.0 / np.asarray(scales, dtype=np.float64)
    matrix = np.asarray(rows, dtype=np.float64) * weights[:, None]
    target = np.asarray(values, dtype=np.float64) * weights
    trust = np.ones_like(target)
    solution = non_negative_least_squares(matrix, target)
    for _ in range(REWEIGHTINGS):
        errors = np.abs(matrix @ solution - target)
        scale = max(1.4826 * float(np.median(errors)), LEAST_SCALE)
        trust = np.sqrt(np.minimum(1.0, HUBER_SCALES * scale / np.maximum(errors, SHORTEST_S)))
        solution = non_negative_least_squares(matrix * trust[:, None], target * trust)
    return [float(value) for value in solution]


def non_negative_least_squares(matrix: Array, target: Array) -> Array:
    """The x >= 0 with the least ``|matrix @ x - target|``, the smallest support first.

    Every support is tried, which is exact and cheap for the few columns there are.
    """
    norms = np.linalg.norm(matrix, axis=0)
    scaled = matrix / np.where(norms > 0, norms, 1.0)
    best = np.zeros(matrix.shape[1])
    least = whole = float(np.linalg.norm(target))
    for size in range(1, matrix.shape[1] + 1):
        for support in combinations(range(matrix.shape[1]), size):
            part, _, rank, _ = np.linalg.lstsq(scaled[:, support], target, rcond=1e-10)
            if rank < size or np.any(part < 0):
                continue
            error = float(np.linalg.norm(scaled[:, support] @ part - target))
            if error < least - TIE * whole:
                least = error
                best = np.zeros(matrix.shape[1])
                best[list(support)] = part
    result: Array = best / np.where(norms > 0, norms, 1.0)
    return result


def _with_residuals(profile: EngineProfile, points: Sequence[ProfilePoint], iteration_tokens: int) -> Fit:
    fitted = _fitted(profile, points, iteration_tokens)
    errors = _errors(fitted)
    return Fit(profile, fitted, float(np.median(errors)), float(np.percentile(errors, 95)))


def _fitted(profile: EngineProfile, points: Sequence[ProfilePoint], iteration_tokens: int) -> tuple[ProfilePoint, ...]:
    return tuple(replace(p, fitted_s=predict_point_s(profile, p.point, p.steps, iteration_tokens)) for p in points)


def _errors(fitted: Sequence[ProfilePoint]) -> list[float]:
    return [abs(p.fitted_s - p.measured_s) / max(p.measured_s, SHORTEST_S) for p in fitted]
