"""How much of a run's time each call may use.

``latest_finish = deadline - longest predicted path after the call`` and ``slack = latest_finish - now - predicted
duration`` (Zhang et al., section IV). A path's spread follows from the spreads of its calls, taken as independent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Z90 = 1.2816


@dataclass(frozen=True, slots=True)
class Span:
    """A duration nobody knows yet, in seconds: ``low`` is its q10, ``median`` its q50, ``spread`` one deviation."""

    low: float
    median: float
    spread: float

    @property
    def high(self) -> float:
        """q90."""
        return self.median + Z90 * self.spread

    @classmethod
    def from_quantiles(cls, low: float, median: float, high: float) -> Span:
        return cls(low, median, max(0.0, high - median) / Z90)


ZERO = Span(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class PathCall:
    """A call of a run that has not ended. ``span`` is its own duration with its wait; ``probability`` that it runs."""

    name: str
    children: tuple[str, ...]
    span: Span
    probability: float = 1.0


def then(first: Span, second: Span) -> Span:
    return Span(first.low + second.low, first.median + second.median, math.hypot(first.spread, second.spread))


def longer(first: Span, second: Span) -> Span:
    """The later of two ends: the low and median of each, and the spread of the one with the later q90."""
    spread = first.spread if first.high >= second.high else second.spread
    return Span(max(first.low, second.low), max(first.median, second.median), spread)


def tails(calls: Sequence[PathCall]) -> Mapping[str, Span]:
    """For each call the longest predicted path after it. ``calls`` come in topological order.

    A branch weighs by its probability in the median and counts nothing in ``low``, the shortest way.
    """
    after: dict[str, Span] = {}
    whole: dict[str, Span] = {}
    for call in reversed(calls):
        tail = ZERO
        for child in call.children:
            if child in whole:
                tail = longer(tail, whole[child])
        after[call.name] = tail
        whole[call.name] = then(_weighed(call), tail)
    return after


def longest(calls: Sequence[PathCall]) -> Span:
    """The predicted time to the end of the run from now."""
    after = tails(calls)
    best = ZERO
    for call in calls:
        best = longer(best, then(_weighed(call), after[call.name]))
    return best


def of_many(span: Span, items: int, seats: int) -> Span:
    """A map or join of ``items`` like calls: the q^(1/n) quantile of one, and at least its work over the free seats."""
    if items <= 0:
        return ZERO
    if items == 1:
        return span
    waves = max(1.0, items / max(1, seats))
    reach = _normal_quantile(0.5 ** (1 / items)) * span.spread
    return Span(span.low * waves, (span.median + reach) * waves, span.spread * math.sqrt(waves))


def probability_in_time(span: Span, available_s: float) -> float:
    """P(the path ends within ``available_s``), the path taken as normally distributed."""
    if span.spread <= 0:
        return 1.0 if span.median <= available_s else 0.0
    return 0.5 * (1 + math.erf((available_s - span.median) / (span.spread * math.sqrt(2))))


def _weighed(call: PathCall) -> Span:
    if call.probability >= 1:
        return call.span
    return Span(0.0, call.span.median * call.probability, call.span.spread)


def _normal_quantile(p: float) -> float:
    """Inverse of the standard normal distribution, by bisection to 1e-9."""
    low, high = -10.0, 10.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        if 0.5 * (1 + math.erf(middle / math.sqrt(2))) < p:
            low = middle
        else:
            high = middle
    return (low + high) / 2
