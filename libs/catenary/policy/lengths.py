"""Output lengths learned from the calls that finished, per (workflow version, call, stage of the run)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import islice

from catenary.model.lengths import LengthEstimate
from catenary.model.workflow import Sampling
from catenary.policy.length_window import ENOUGH, LengthWindow, Sample
from catenary.policy.regression import Features

Key = tuple[str, str, int]


def prior(sampling: Sampling, default_tokens: int) -> LengthEstimate:
    """Before anything is known: the model's default token count, as in Zhang et al.; exact where the call fixes it."""
    bound = sampling.max_tokens
    if sampling.ignore_eos or sampling.min_tokens == bound:
        return LengthEstimate.exactly(bound)
    median = min(default_tokens, bound)
    low, high = max(sampling.min_tokens, median / 4), min(bound, 3 * median)
    return LengthEstimate(low, median, high, median, (high - low) / 3)


def fewest(sampling: Sampling) -> LengthEstimate:
    """The shortest output that a call may give."""
    exact = sampling.ignore_eos or sampling.min_tokens == sampling.max_tokens
    return LengthEstimate.exactly(sampling.max_tokens if exact else max(1, sampling.min_tokens))


class LengthModel:
    """Quantiles over the last 256 lengths of each key; the least recently used keys are dropped past ``max_keys``.

    ``stage`` tells apart what is known of the run when it is asked: features mean something else in each.
    """

    def __init__(self, max_keys: int = 16_384) -> None:
        self._windows: OrderedDict[Key, LengthWindow] = OrderedDict()
        self._max_keys = max_keys
        self.num_observed = 0

    def observe(self, version: str, call: str, tokens: int, stage: int = 0, features: Features = (1.0,)) -> None:
        key = (version, call, stage)
        window = self._windows.get(key)
        if window is None or not window.compares(features):
            window = self._windows[key] = LengthWindow()
            if len(self._windows) > self._max_keys:
                self._windows.popitem(last=False)
        self._windows.move_to_end(key)
        window.add(features, tokens)
        self.num_observed += 1

    def known(self, max_keys: int) -> dict[Key, list[Sample]]:
        """What was learned of the keys used last."""
        return {key: self._windows[key].samples for key in islice(reversed(self._windows), max_keys)}

    def learn(self, known: Mapping[Key, Sequence[Sample]]) -> None:
        """Begin with what another model has ``known``, in place of what is known of these keys."""
        for key, samples in reversed(list(known.items())):
            self._windows[key] = LengthWindow.of(samples)

    def knows(self, version: str, call: str) -> bool:
        """Whether enough lengths of the call were seen to estimate by."""
        return self._learned(version, call, 0) is not None

    def _learned(self, version: str, call: str, stage: int) -> LengthWindow | None:
        window = self._windows.get((version, call, stage))
        return window if window is not None and len(window) >= ENOUGH else None

    def estimate(
        self,
        version: str,
        call: str,
        sampling: Sampling,
        default_tokens: int,
        done: int = 0,
        stage: int = 0,
        features: Features | None = None,
    ) -> LengthEstimate:
        """Tokens still to come after ``done``, given that the call has not ended by then."""
        window = self._learned(version, call, stage)
        if window is None:
            window, features = self._learned(version, call, 0), None
        if window is None:
            return _remaining(prior(sampling, default_tokens), done, sampling.max_tokens)
        left = window.left(features, done)
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
