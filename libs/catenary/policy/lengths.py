"""Output lengths learned from the calls that finished, per (workflow version, call)."""

from __future__ import annotations

import bisect
import math
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from itertools import accumulate

from catenary.model.lengths import LengthEstimate
from catenary.model.workflow import Sampling

WINDOW = 256
ENOUGH = 8

Key = tuple[str, str]


class _Window:
    """The latest lengths, in order of arrival and of size. Sums from the long end answer what is left after a count."""

    __slots__ = ("_estimate", "_squares", "_sums", "ordered", "recent")

    def __init__(self) -> None:
        self.recent: deque[int] = deque()
        self.ordered: list[int] = []
        self._sums: list[int] = []
        self._squares: list[int] = []
        self._estimate: LengthEstimate | None = None

    def add(self, tokens: int) -> None:
        if len(self.recent) == WINDOW:
            del self.ordered[bisect.bisect_left(self.ordered, self.recent.popleft())]
        self.recent.append(tokens)
        bisect.insort(self.ordered, tokens)
        self._sums.clear()
        self._estimate = None

    def estimate(self) -> LengthEstimate:
        """Tokens of a call that has none yet."""
        if self._estimate is None:
            self._estimate = self.left(0) or LengthEstimate.exactly(0)
        return self._estimate

    def left(self, done: int) -> LengthEstimate | None:
        """Tokens after ``done`` of a call that is longer; None where no call was."""
        ordered = self.ordered
        count = len(ordered) - bisect.bisect_right(ordered, done)
        if count == 0:
            return None
        if not self._sums:
            self._sums = list(accumulate(reversed(ordered)))
            self._squares = list(accumulate(length * length for length in reversed(ordered)))
        first = len(ordered) - count
        mean = self._sums[count - 1] / count
        variance = max(0.0, self._squares[count - 1] / count - mean * mean)
        q10, q50, q90 = (ordered[first + min(count - 1, int(q * count))] - done for q in (0.1, 0.5, 0.9))
        return LengthEstimate(q10, q50, q90, mean - done, math.sqrt(variance))


def prior(sampling: Sampling, default_tokens: int) -> LengthEstimate:
    """Before anything is known: the model's default token count, as in Zhang et al.; exact where the call fixes it."""
    bound = sampling.max_tokens
    if sampling.ignore_eos or sampling.min_tokens == bound:
        return LengthEstimate.exactly(bound)
    median = min(default_tokens, bound)
    low, high = max(sampling.min_tokens, median / 4), min(bound, 3 * median)
    return LengthEstimate(low, median, high, median, (high - low) / 3)


class LengthModel:
    """Quantiles over the last 256 lengths of each key; the least recently used keys are dropped past ``max_keys``."""

    def __init__(self, max_keys: int = 4096) -> None:
        self._windows: OrderedDict[Key, _Window] = OrderedDict()
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

    def learned(self) -> Iterable[tuple[Key, Sequence[int]]]:
        """What is known of each key, oldest length first, for keeping over restarts: ``observe`` takes it back in."""
        return [(key, tuple(window.recent)) for key, window in self._windows.items()]

    def estimate(
        self, version: str, call: str, sampling: Sampling, default_tokens: int, done: int = 0
    ) -> LengthEstimate:
        """Tokens still to come after ``done``, given that the call has not ended by then."""
        window = self._windows.get((version, call))
        if window is None or len(window.ordered) < ENOUGH:
            return _remaining(prior(sampling, default_tokens), done, sampling.max_tokens)
        if done == 0:
            return _bounded(window.estimate(), sampling.max_tokens)
        left = window.left(done)
        if left is None:
            mean = max(1.0, min(sampling.max_tokens - done, done / 4))
            return LengthEstimate(mean / 10, mean * 0.7, mean * 2.3, mean, mean)
        return _bounded(left, sampling.max_tokens - done)


def _bounded(estimate: LengthEstimate, bound: float) -> LengthEstimate:
    if estimate.q90 <= bound:
        return estimate
    bound = max(1.0, bound)
    return LengthEstimate(
        min(estimate.q10, bound),
        min(estimate.q50, bound),
        bound,
        min(estimate.mean, bound),
        min(estimate.deviation, bound / 2),
    )


def _remaining(estimate: LengthEstimate, done: int, bound: int) -> LengthEstimate:
    if done == 0:
        return estimate
    floor = max(1.0, min(bound - done, estimate.q50 / 4))
    q10, q50, q90 = (max(floor, q - done) for q in (estimate.q10, estimate.q50, estimate.q90))
    return LengthEstimate(q10, q50, q90, max(floor, estimate.mean - done), min(estimate.deviation, q90))
