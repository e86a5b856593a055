"""How fast something arrives now, when neither a jump nor chance should mislead."""

from __future__ import annotations

import math
from collections.abc import Callable

WINDOWS_S = (1.0, 2.0, 4.0, 8.0, 16.0)
SURPRISE = 2.5
LEAST_ELAPSED_S = 0.75


def present_rate(count_within: Callable[[float], float], age_s: float) -> tuple[float, float]:
    """Rule: the rate over the longest window that no shorter one contradicts by more than chance explains, 2.5
    standard deviations of a Poisson count.

    Inputs: arrivals in the last so many seconds, and since when (s ago) they are counted. Returns arrivals per second
    and the seconds that they were counted over. Tie-break: none. Trade-off: for what must not follow chance; a jump
    shows within two to four seconds, a slow change later. Source: the adaptive windows of Bifet and Gavalda, "Learning
    from time-changing data with adaptive windowing" (SDM 2007).
    """
    counted: list[tuple[float, float]] = []
    rate = over_s = 0.0
    for window_s in WINDOWS_S:
        elapsed_s = min(window_s, max(LEAST_ELAPSED_S, age_s))
        found = count_within(window_s) / elapsed_s
        if any(_surprises(shorter, shorter_s, found) for shorter, shorter_s in counted):
            break
        counted.append((found, elapsed_s))
        rate, over_s = found, elapsed_s
    return rate, over_s


def jumping_rate(count_within: Callable[[float], float], age_s: float) -> float:
    """Rule: the rate over the longest window, unless a shorter one contradicts it; then over that, and so on.

    Inputs, returns and source: as for ``present_rate``, the rate alone. Tie-break: the longer window. Trade-off: for
    what may follow chance where waiting costs more; a jump shows within a second or two.
    """
    rate = over_s = 0.0
    for window_s in reversed(WINDOWS_S):
        elapsed_s = min(window_s, max(LEAST_ELAPSED_S, age_s))
        found = count_within(window_s) / elapsed_s
        if not over_s or _surprises(found, elapsed_s, rate):
            rate, over_s = found, elapsed_s
    return rate


def _surprises(found: float, over_s: float, rate: float) -> bool:
    """Whether so many a second, counted over ``over_s``, are more or fewer than chance makes of ``rate``."""
    return abs(found - rate) > SURPRISE * math.sqrt(max(rate, 1 / over_s) / over_s)
