"""How far the predicted times of whole runs are off, beside what the spreads of their calls add up to."""

from __future__ import annotations

from collections import OrderedDict

Key = tuple[str, int]

ENOUGH = 16
WINDOW = 64
TRUSTED = 0.5


class PathErrors:
    """Rule: a path whose squared errors are a share of the sum of its calls' variances has that share of them; never
    more than all, and only half of what is missing is believed.

    Inputs: per (workflow version, calls ended) the error of each run that succeeded and the variance that its calls
    added up to; the mean over about the last 64, from 16 on. Lengths whose sum something tells, as a deadline that
    grows with the work does, make up for each other: taken as independent they leave a run far more time in hand than
    it needs, and all of them look late as soon as anybody waits. Half, since runs that were not in time do not count,
    and since a jump of the load is not in the errors of the runs before it. The least recently observed keys are
    dropped past ``max_keys``. Source: variance ratios as in Lo and MacKinlay (Review of Financial Studies 1988).
    """

    def __init__(self, max_keys: int) -> None:
        self._known: OrderedDict[Key, tuple[int, float]] = OrderedDict()
        self._max_keys = max_keys

    def observe(self, version: str, ended: int, error_s: float, variance: float) -> None:
        """``variance`` (s^2) as the sum of that of the calls, above 0."""
        count, mean = self._known.pop((version, ended), (0, 0.0))
        count = min(WINDOW, count + 1)
        self._known[(version, ended)] = (count, mean + (error_s * error_s / variance - mean) / count)
        if len(self._known) > self._max_keys:
            self._known.popitem(last=False)

    def share(self, version: str, ended: int) -> float:
        """Of the sum of the variances, what the path has."""
        count, mean = self._known.get((version, ended), (0, 1.0))
        return 1.0 if count < ENOUGH else min(1.0, 1 - TRUSTED * (1 - mean))
