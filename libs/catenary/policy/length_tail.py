"""How much longer something gets that has outlived nearly all that was seen of its kind."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

_NORMAL = NormalDist()
LEAST = 0.01
LEAST_SPREAD = 0.05
LEAST_SURVIVAL = 1e-9
REFUTED = 2.0
"""Standard deviations from half of them: the 5 % level."""


@dataclass(frozen=True, slots=True)
class LengthTail:
    """A lognormal distribution: mean and standard deviation of the logarithm.

    Source: output lengths of language models are close to lognormal, and a tail of which a handful was seen tells less
    than the body does.
    """

    log_mean: float
    log_spread: float

    @classmethod
    def of(cls, lengths: Iterable[float]) -> LengthTail:
        """Through lengths, at least one; ``LEAST`` stands for shorter ones."""
        logs = [math.log(max(LEAST, length)) for length in lengths]
        mean = math.fsum(logs) / len(logs)
        variance = math.fsum((value - mean) ** 2 for value in logs) / len(logs)
        return cls(mean, max(LEAST_SPREAD, math.sqrt(variance)))

    def beyond(self, least: float) -> tuple[float, float, float, float, float] | None:
        """q10, q50, q90, mean and standard deviation of the lengths above ``least``; None where there are none."""
        start = (math.log(least) - self.log_mean) / self.log_spread
        survival = _NORMAL.cdf(-start)
        if survival < LEAST_SURVIVAL:
            return None
        q10, q50, q90 = (self._at(-_NORMAL.inv_cdf(share * survival)) for share in (0.9, 0.5, 0.1))
        mean = self._moment(1, start) / survival
        return q10, q50, q90, mean, math.sqrt(max(0.0, self._moment(2, start) / survival - mean * mean))

    def _at(self, z: float) -> float:
        return math.exp(self.log_mean + z * self.log_spread)

    def _moment(self, power: int, start: float) -> float:
        """Of the part that lies more than ``start`` standard deviations above the median on the logarithmic scale."""
        shift = power * self.log_spread
        return math.exp(power * self.log_mean + shift * shift / 2) * _NORMAL.cdf(shift - start)


def may_be_median(median: float, ordered: Sequence[float]) -> bool:
    """Whether ``ordered`` lie on both sides of it as chance lets expect; fewer than five never refute it.

    Source: the sign test (Arbuthnot 1710), with the normal approximation of the binomial distribution.
    """
    above = len(ordered) - bisect_right(ordered, median)
    return abs(2 * above - len(ordered)) <= REFUTED * math.sqrt(len(ordered))
