"""Pools of which arriving runs ask for more than engines can do."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from itertools import islice

from catenary.policy.admission.bid import Ask, too_dear
from catenary.policy.arrival_rate import present_rate

MAX_ARRIVALS = 1024
ENOUGH = 16
COMPARED = 256
USABLE = 0.95


class Scarcity:
    """What each arriving run asks of each pool, refused ones included; the latest 1024 of a pool.

    Nobody is refused for a rate that may be chance: what is asked for counts less one standard deviation of a Poisson
    count. 95 % of the engines' work counts as what they can do.
    """

    def __init__(self) -> None:
        self._latest: dict[str, _Arrivals] = {}

    def arrived(self, model: str, ask: Ask, now: float) -> None:
        latest = self._latest.setdefault(model, _Arrivals())
        latest.times.append(now)
        latest.asks.append(ask)

    def turns_away(self, model: str, ask: Ask, excess: float) -> bool:
        """Whether the newcomer is too dear where a queue grows by ``excess`` (above 0)."""
        latest = self._latest.get(model)
        if latest is None or len(latest.asks) < ENOUGH:
            return False
        return too_dear(ask, list(islice(reversed(latest.asks), COMPARED)), 1 / (1 + excess))

    def excess(self, model: str, engines: float, now: float) -> float:
        """Seconds a second by which a queue for so many engines grows, at least; negative where it gets shorter."""
        return self.engines(model, now) / (USABLE * engines) - 1

    def engines(self, model: str, now: float) -> float:
        """How many engines those who come now keep busy, at least."""
        latest = self._latest.get(model)
        if latest is None:
            return 0.0
        times = latest.times
        rate, over_s = present_rate(lambda window_s: len(times) - bisect_right(times, now - window_s), now - times[0])
        count = max(1, round(rate * over_s))
        work_s = math.fsum([ask.work_s for ask in islice(reversed(latest.asks), count)])
        return max(0.0, 1 - 1 / math.sqrt(count)) * work_s / over_s


@dataclass(frozen=True, slots=True)
class _Arrivals:
    """When each came (monotonic s), the latest last, and what it asked for."""

    times: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_ARRIVALS))
    asks: deque[Ask] = field(default_factory=lambda: deque(maxlen=MAX_ARRIVALS))
