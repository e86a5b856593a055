"""Least squares over a few features, in plain floats."""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul

RIDGE = 1e-6

Features = tuple[float, ...]


def fit(features: Sequence[Sequence[float]], values: Sequence[float]) -> Features | None:
    """Weights w that make ``sum((rows @ w - values)^2)`` least; None where the rows determine none.

    ``features``: the columns of the rows. Those that do not vary share their weight (a relative ridge of 1e-6).
    """
    columns = [*features, values]
    width = len(features)
    matrix = [[0.0] * (width + 1) for _ in range(width)]
    for i, first in enumerate(features):
        for j in range(i, width + 1):
            matrix[i][j] = sum(map(mul, first, columns[j]))
            if j < width:
                matrix[j][i] = matrix[i][j]
    for i in range(width):
        matrix[i][i] = matrix[i][i] * (1 + RIDGE) + 1e-12
    return _solve(matrix)


def predict(weights: Features, row: Features) -> float:
    return float(sum(map(mul, weights, row)))


def predict_all(weights: Features, features: Sequence[Sequence[float]]) -> list[float]:
    """``predict`` of every row; ``features``: the columns of the rows, at least one."""
    sums = [0.0] * len(features[0])
    for weight, column in zip(weights, features, strict=True):
        sums = [total + weight * value for total, value in zip(sums, column, strict=True)]
    return sums


def _solve(matrix: list[list[float]]) -> Features | None:
    """Gauss-Jordan elimination with partial pivoting of ``[A | b]``."""
    width = len(matrix)
    for column in range(width):
        pivot = max(range(column, width), key=lambda line: abs(matrix[line][column]))
        if abs(matrix[pivot][column]) < 1e-300:
            return None
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        top = matrix[column]
        for line in matrix:
            if line is not top and line[column]:
                factor = line[column] / top[column]
                for j in range(column, width + 1):
                    line[j] -= factor * top[j]
    return tuple(matrix[i][width] / matrix[i][i] for i in range(width))
