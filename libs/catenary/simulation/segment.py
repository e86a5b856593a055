"""Iterations of an engine with the same batch: the end of each has a closed form."""

from __future__ import annotations

from math import sqrt


class Segment:
    """``length`` iterations from ``base_s`` on, ``done`` of them completed.

    Iteration k, from 0, takes ``linear_s + k * growth_s``: the context grows by a token per decoding sequence.
    """

    __slots__ = ("base_s", "batch", "decoding", "done", "growth_s", "length", "linear_s")

    def __init__(self) -> None:
        self.base_s = 0.0
        self.linear_s = 0.0
        self.growth_s = 0.0
        self.batch = 0
        self.decoding = 0
        self.length = 0
        self.done = 0

    def end_s(self, k: int) -> float:
        """When its first ``k`` iterations are completed, a point on the engine's clock."""
        return self.base_s + k * self.linear_s + self.growth_s * (k * (k - 1) // 2)

    def completed(self, now: float, inclusive: bool, change: int) -> int:
        """How many iterations have ended before ``now``, or at it where ``inclusive``; fewer than ``change``."""
        left = now - self.base_s
        half = self.growth_s / 2
        linear = self.linear_s - half
        if half > 0:
            k = int((sqrt(linear * linear + 4 * half * max(left, 0.0)) - linear) / (2 * half))
        elif linear > 0:
            k = int(left / linear)
        else:
            return self.done
        k = max(self.done, min(k, change - 1))
        while k > self.done and not self._ended(k, now, inclusive):
            k -= 1
        while k + 1 < change and self._ended(k + 1, now, inclusive):
            k += 1
        return k

    def stretch(self, ratio: float, at: float) -> None:
        """From ``at`` on all takes ``ratio`` times as long."""
        self.base_s = at + (self.base_s - at) * ratio
        self.linear_s *= ratio
        self.growth_s *= ratio

    def _ended(self, k: int, now: float, inclusive: bool) -> bool:
        end = self.end_s(k)
        return end < now or (inclusive and end == now)
