"""The online correction of a profile: how much slower or faster finished calls were than it says."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median

WINDOW = 128
LEAST_SAMPLES = 16
STEP = 0.02


@dataclass(slots=True)
class Correction:
    """A factor on durations within ``1 / bound .. bound`` that creeps towards the median of recent ratios.

    One call moves it by at most ``STEP`` of itself, and the median ignores fewer than half of the window, so an odd run
    cannot move it far.
    """

    bound: float
    factor: float = 1.0
    ratios: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def observe(self, measured_s: float, predicted_s: float) -> None:
        """Take one finished call; ``predicted_s`` is without correction. Times that are not positive are ignored."""
        if not (measured_s > 0 and predicted_s > 0):
            return
        self.ratios.append(measured_s / predicted_s)
        if len(self.ratios) < LEAST_SAMPLES:
            return
        target = min(max(median(self.ratios), 1 / self.bound), self.bound)
        lowest, highest = self.factor * (1 - STEP), self.factor * (1 + STEP)
        self.factor = min(max(target, lowest), highest)

    @property
    def error(self) -> float:
        """Median of |predicted - measured| / measured over the window, with the factor as it is now; 0: no calls."""
        return median(abs(self.factor / ratio - 1) for ratio in self.ratios) if self.ratios else 0.0
