"""What an iteration takes longer for the prompts that it computes, as a curve over their tokens."""

from __future__ import annotations

from bisect import bisect_left

PrefillCurve = tuple[tuple[float, float], ...]
"""(prompt tokens of an iteration, seconds beyond a decode step), tokens strictly rising."""


def seconds_at(curve: PrefillCurve, tokens: float) -> float:
    """Linear between the points, constant before the first and in the last slope beyond the last; 0 without tokens."""
    if tokens <= 0:
        return 0.0
    if tokens <= curve[0][0] or len(curve) == 1:
        return curve[0][1]
    after = min(bisect_left(curve, (tokens, 0.0)), len(curve) - 1)
    (left, low), (right, high) = curve[after - 1], curve[after]
    return low + (high - low) * (tokens - left) / (right - left)
