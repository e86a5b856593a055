"""Durations that nobody knows yet, and what their sum and their maximum are.

A duration is taken as gamma distributed: it is never negative, skewed as output lengths are, and exponential where a
call has outlived most others. Quantiles follow Wilson and Hilferty, "The distribution of chi-square" (PNAS 1931);
maxima follow Clark, "The greatest of a finite set of random variables" (Operations Research 1961).
"""

from __future__ import annotations

import math
from statistics import NormalDist

from catenary.model.record import record

_NORMAL = NormalDist()
Z90 = _NORMAL.inv_cdf(0.9)
Z95 = _NORMAL.inv_cdf(0.95)


@record(frozen=True, slots=True)
class Span:
    """Mean and variance in s and s^2."""

    mean: float
    variance: float = 0.0

    @property
    def median(self) -> float:
        return self.at(0.0)

    @property
    def low(self) -> float:
        """q10."""
        return self.at(-Z90)

    @property
    def high(self) -> float:
        """q90."""
        return self.at(Z90)

    @property
    def deviation(self) -> float:
        return math.sqrt(self.variance)

    def at(self, z: float) -> float:
        """The quantile that lies ``z`` standard deviations above the median on the normal scale."""
        if self.mean <= 0:
            return 0.0
        if self.variance <= 0:
            return self.mean
        ninth = self.variance / (9 * self.mean * self.mean)
        root = 1 - ninth + z * math.sqrt(ninth)
        return self.mean * root**3 if root > 0 else 0.0

    def probability_within(self, seconds: float) -> float:
        """P(the duration is at most ``seconds``)."""
        if self.mean <= 0:
            return 1.0 if seconds >= 0 else 0.0
        if seconds <= 0:
            return 0.0
        ninth = self.variance / (9 * self.mean * self.mean)
        if ninth <= 0:
            return 1.0 if self.mean <= seconds else 0.0
        z = ((seconds / self.mean) ** (1 / 3) - 1 + ninth) / math.sqrt(ninth)
        return 0.5 * (1 + math.erf(z / math.sqrt(2)))


ZERO = Span(0.0)


def then(first: Span, second: Span) -> Span:
    """One after the other."""
    if second is ZERO:
        return first
    return Span(first.mean + second.mean, first.variance + second.variance)


def scaled(span: Span, factor: float) -> Span:
    """``factor`` times the duration."""
    return Span(factor * span.mean, factor * factor * span.variance)


def narrowed(span: Span, share: float) -> Span:
    """The duration with ``share`` of its variance."""
    if share == 1.0:
        return span
    return Span(span.mean, share * span.variance)


def maybe(span: Span, probability: float) -> Span:
    """The duration with ``probability``, nothing otherwise."""
    if probability >= 1:
        return span
    mean = probability * span.mean
    return Span(mean, probability * (span.variance + span.mean * span.mean) - mean * mean)


def later(first: Span, second: Span) -> Span:
    """The greater of two independent durations."""
    if first.mean <= 0 or second.mean <= 0:
        return first if first.mean >= second.mean else second
    distance = math.sqrt(first.variance + second.variance)
    if distance <= 1e-9:
        return first if first.mean >= second.mean else second
    alpha = (first.mean - second.mean) / distance
    share = _NORMAL.cdf(alpha)
    bump = distance * _NORMAL.pdf(alpha)
    mean = first.mean * share + second.mean * (1 - share) + bump
    square = (
        (first.mean**2 + first.variance) * share
        + (second.mean**2 + second.variance) * (1 - share)
        + (first.mean + second.mean) * bump
    )
    return Span(mean, max(0.0, square - mean * mean))


def of_many(span: Span, items: int, seats: int) -> Span:
    """A map or join of ``items`` like durations: the q^(1/n) quantile of one, and at least its work over the seats."""
    if items <= 0:
        return ZERO
    if items == 1:
        return span
    longest = max(span.mean, span.at(_NORMAL.inv_cdf(0.5 ** (1 / items))))
    work = span.mean * items / max(1, seats)
    return Span(max(longest, work), span.variance * max(1.0, items / max(1, seats)))
