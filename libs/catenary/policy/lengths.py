"""Output lengths learned from the calls that finished, per (workflow version, call)."""

from __future__ import annotations

import bisect
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from catenary.model.lengths import LengthEstimate
from catenary.model.workflow import Sampling

WINDOW = 256
ENOUGH = 8


@dataclass(slots=True)
class _Window:
    recent: deque[int] = field(default_factory=deque)
    ordered: list[int] = field(default_factory=list)

    def add(self, tokens: int) -> None:
        if len(self.recent) == WINDOW:
            del self.ordered[bisect.bisect_left(self.ordered, self.recent.popleft())]
        self.recent.append(tokens)
        bisect.insort(self.ordered, tokens)


def prior(sampling: Sampling, default_tokens: int) -> LengthEstimate:
    """Before anything is known: the model's default token count, as in Zhang et al.; exact where the call fixes it."""
    bound = sampling.max_tokens
    if sampling.ignore_eos or sampling.min_tokens == bound:
        return LengthEstimate.exactly(bound)
    median = min(default_tokens, bound)
    return LengthEstimate(max(sampling.min_tokens, median / 4), median, min(bound, 3 * median), median)


class LengthModel:
    """Quantiles over the last 256 lengths of each key; the least recently used keys are dropped past ``max_keys``."""

    def __init__(self, max_keys: int = 4096) -> None:
        self._windows: OrderedDict[tuple[str, str], _Window] = OrderedDict()
        self._max_keys = max_keys

    def observe(self, version: str, call: str, tokens: int) -> None:
        key = (version, call)
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window()
            if len(self._windows) > self._max_keys:
                self._windows.popitem(last=False)
        self._windows.move_to_end(key)
        window.add(tokens)

    def estimate(
        self, version: str, call: str, sampling: Sampling, default_tokens: int, done: int = 0
    ) -> LengthEstimate:
        """Tokens still to come after ``done``, given that the call has not ended by then."""
        window = self._windows.get((version, call))
        if window is None or len(window.ordered) < ENOUGH:
            return _remaining(prior(sampling, default_tokens), done, sampling.max_tokens)
        ordered = window.ordered
        first = bisect.bisect_right(ordered, done)
        count = len(ordered) - first
        if count == 0:
            left = max(1.0, min(sampling.max_tokens - done, done / 4))
            return LengthEstimate.exactly(left)

        def quantile(q: float) -> float:
            return min(sampling.max_tokens, ordered[first + min(count - 1, int(q * count))]) - done

        mean = min(sampling.max_tokens, sum(ordered[first:]) / count) - done if done else sum(ordered) / count
        return LengthEstimate(max(0.0, quantile(0.1)), max(0.0, quantile(0.5)), max(0.0, quantile(0.9)), max(1.0, mean))


def _remaining(estimate: LengthEstimate, done: int, bound: int) -> LengthEstimate:
    if done == 0:
        return estimate
    floor = max(1.0, min(bound - done, estimate.q50 / 4))
    q10, q50, q90 = (max(floor, q - done) for q in (estimate.q10, estimate.q50, estimate.q90))
    return LengthEstimate(q10, q50, q90, max(floor, estimate.mean - done))
