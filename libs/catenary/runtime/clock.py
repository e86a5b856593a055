"""Monotonic time and its form on the wire: a remaining budget, anchored to the receiver's clock."""

from __future__ import annotations

import time

now = time.monotonic
wall = time.time


MAX_REMAINING_US = 1e15


def to_remaining_us(at_s: float, now_s: float) -> int:
    """Microseconds from ``now_s`` to ``at_s``; negative where ``at_s`` is past. At most 31 years either way."""
    return round(max(-MAX_REMAINING_US, min(MAX_REMAINING_US, (at_s - now_s) * 1e6)))


def from_remaining_us(remaining_us: int, now_s: float) -> float:
    """The moment on this process's clock that a budget received at ``now_s`` stands for."""
    return now_s + remaining_us * 1e-6
