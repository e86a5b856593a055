"""The latest output lengths of one call, seen as ratios to what its circumstances let expect."""

from __future__ import annotations

import bisect
import math
import statistics
from collections import deque
from collections.abc import Sequence
from itertools import compress
from operator import le, mul

from catenary.model.lengths import LengthEstimate
from catenary.policy.length_tail import LengthTail, may_be_median
from catenary.policy.regression import Features, fit, predict, predict_all

WINDOW = 256
ENOUGH = 8
SPARSE = 32
REGRESS_FROM = 48
REFIT_EVERY = 32
FAR = 6.0  # times the median of a feature: from there on it tells nothing

Sample = tuple[Features, int]
"""Circumstances, and the length (tokens) that came of them."""
Shape = tuple[float, float, float, float, float]


class LengthWindow:
    """Expected length by least squares over the features, spread by the ratios of measured to expected lengths.

    Until 48 calls are known, and where features say nothing, the expected length is the mean. Circumstances far beyond
    the usual ones take no part: a few objectives of an hour among those of seconds would hide what these tell.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[Features, int, float]] = deque()
        self._ratios: list[float] = []
        self._sum = self._square_sum = 0.0
        self._weights: Features | None = None
        self._bounds: Features = ()
        self._mean = 0.0
        self._least = self._most = 0.0
        self._since_fit = 0
        self._fresh: Shape | None = None
        self._tail: LengthTail | None = None
        self._typical: LengthEstimate | None = None

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> LengthWindow:
        """One that has seen the latest of ``samples``."""
        window = cls()
        window._samples = deque((features, tokens, 1.0) for features, tokens in samples[-WINDOW:])
        if samples:
            window._refit()
        return window

    @property
    def samples(self) -> list[Sample]:
        """The latest, oldest first."""
        return [(features, tokens) for features, tokens, _ in self._samples]

    def __len__(self) -> int:
        return len(self._ratios)

    def compares(self, features: Features) -> bool:
        """Whether they are as many as were seen before: another release may tell more, or less, of a run."""
        return not self._samples or len(self._samples[-1][0]) == len(features)

    def add(self, features: Features, tokens: int) -> None:
        if len(self._samples) == WINDOW:
            old = self._samples.popleft()[2]
            del self._ratios[bisect.bisect_left(self._ratios, old)]
            self._sum -= old
            self._square_sum -= old * old
        ratio = tokens / self.expected(features) if self._mean else 1.0
        self._samples.append((features, tokens, ratio))
        bisect.insort(self._ratios, ratio)
        self._sum += ratio
        self._square_sum += ratio * ratio
        self._fresh = self._tail = self._typical = None
        self._since_fit += 1
        if self._since_fit >= REFIT_EVERY or len(self._samples) <= ENOUGH:
            self._refit()

    def expected(self, features: Features | None) -> float:
        """Tokens, within what has been seen."""
        if features is None or self._weights is None or not self._is_usual(features):
            return self._mean
        return min(max(predict(self._weights, features), self._least), self._most)

    def left(self, features: Features | None, done: int) -> LengthEstimate | None:
        """Tokens after ``done`` of a call that is longer; None where hardly any can be.

        Where fewer than 32 longer ones are known, they follow from a lognormal distribution through all lengths, unless
        the few refute it: where few calls are far longer than all others, nothing follows for them from these.
        """
        if features is None and not done:
            if self._typical is None:
                self._typical = _scaled(self._all(), self._mean, 0)
            return self._typical
        expected = self.expected(features)
        shape = self._beyond(done / expected) if done else self._all()
        return None if shape is None else _scaled(shape, expected, done)

    def _all(self) -> Shape:
        if self._fresh is None:
            self._fresh = _shape(self._ratios, self._sum, self._square_sum)
        return self._fresh

    def _beyond(self, ratio: float) -> Shape | None:
        rest = self._ratios[bisect.bisect_right(self._ratios, ratio) :]
        if len(rest) < SPARSE:
            if self._tail is None:
                self._tail = LengthTail.of(self._ratios)
            if (shape := self._tail.beyond(ratio)) is not None and may_be_median(shape[1], rest):
                return shape
        return _shape(rest, sum(rest), sum(map(mul, rest, rest))) if rest else None

    def _refit(self) -> None:
        self._since_fit = 0
        rows = [sample[0] for sample in self._samples]
        lengths = [sample[1] for sample in self._samples]
        self._mean = max(1.0, sum(lengths) / len(lengths))
        self._least, self._most = max(1, min(lengths)), max(1, *lengths)
        columns = list(zip(*rows, strict=True))
        self._bounds = tuple(FAR * statistics.median(column) or math.inf for column in columns)
        ratios = [tokens / expected for tokens, expected in zip(lengths, self._fit(columns, lengths), strict=True)]
        self._samples = deque(zip(rows, lengths, ratios, strict=True))
        self._ratios = sorted(ratios)
        self._sum, self._square_sum = sum(ratios), sum(map(mul, ratios, ratios))
        self._fresh = self._tail = self._typical = None

    def _fit(self, columns: Sequence[Sequence[float]], lengths: Sequence[int]) -> list[float]:
        """Take new weights; what is then expected of each sample."""
        usual = [True] * len(lengths)
        if not all(map(le, map(max, columns), self._bounds)):
            usual = [self._is_usual(row) for row in zip(*columns, strict=True)]
        self._weights = None
        if sum(usual) >= REGRESS_FROM:
            self._weights = fit([list(compress(column, usual)) for column in columns], list(compress(lengths, usual)))
        if self._weights is None:
            return [self._mean] * len(lengths)
        least, most, mean = self._least, self._most, self._mean
        fitted = zip(predict_all(self._weights, columns), usual, strict=True)
        return [min(max(tokens, least), most) if is_usual else mean for tokens, is_usual in fitted]

    def _is_usual(self, features: Features) -> bool:
        return all(map(le, features, self._bounds))


def _scaled(shape: Shape, expected: float, done: int) -> LengthEstimate:
    q10, q50, q90, mean, deviation = shape
    return LengthEstimate(
        expected * q10 - done,
        expected * q50 - done,
        expected * q90 - done,
        expected * mean - done,
        expected * deviation,
    )


def _shape(ordered: list[float], total: float, square_total: float) -> Shape:
    """q10, q50, q90, mean and standard deviation of ``ordered``, of which the sum and that of the squares are given."""
    count = len(ordered)
    mean = total / count
    variance = max(0.0, square_total / count - mean * mean)
    q10, q50, q90 = ordered[int(0.1 * count)], ordered[int(0.5 * count)], ordered[int(0.9 * count)]
    return q10, q50, q90, mean, math.sqrt(variance)
