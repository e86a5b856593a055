"""How far the predicted times of whole runs are off, beside what the spreads of their calls add up to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

Key = tuple[str, int]

ENOUGH = 16
WINDOW = 64
TRUSTED = 0.5


@dataclass(frozen=True, slots=True)
class PathError:
    """Of the latest runs, at most 64: how many, and the mean of their squared errors over what the variances of their
    calls added up to."""

    runs: int = 0
    ratio: float = 0.0


UNSEEN = PathError()


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
        self._known: OrderedDict[Key, PathError] = OrderedDict()
        self._max_keys = max_keys
        self.num_observed = 0

    def observe(self, version: str, ended: int, error_s: float, variance: float) -> None:
        """``variance`` (s^2) as the sum of that of the calls, above 0."""
        seen = self._known.pop((version, ended), UNSEEN)
        runs = min(WINDOW, seen.runs + 1)
        ratio = seen.ratio + (error_s * error_s / variance - seen.ratio) / runs
        self._known[(version, ended)] = PathError(runs, ratio)
        if len(self._known) > self._max_keys:
            self._known.popitem(last=False)
        self.num_observed += 1

    def share(self, version: str, ended: int) -> float:
        """Of the sum of the variances, what the path has."""
        seen = self._known.get((version, ended), UNSEEN)
        return 1.0 if seen.runs < ENOUGH else min(1.0, 1 - TRUSTED * (1 - seen.ratio))

    def known(self, max_keys: int) -> dict[Key, PathError]:
        """What was learned of the keys observed last, these first."""
        return {key: self._known[key] for key in islice(reversed(self._known), max_keys)}

    def learn(self, known: Mapping[Key, PathError]) -> None:
        """Begin with what others have ``known``, in place of what is known of these keys."""
        self._known.update(reversed(list(known.items())))
