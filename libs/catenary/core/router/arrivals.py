"""What the calls that come ask of a pool's engines."""

from __future__ import annotations

import math

WINDOW_S = 8.0
"""About as long as runs may take: a pool that is asked for too much for a moment has time to catch up."""


class Arrivals:
    """Work that was asked for, older work counting less: by a factor of e in ``WINDOW_S`` seconds."""

    def __init__(self) -> None:
        self._asked_s = 0.0
        self._at = 0.0

    def asked(self, work_s: float, now: float) -> None:
        """A call has come that takes one engine so many seconds."""
        self._asked_s = self._faded_s(now) + work_s
        self._at = now

    def engines(self, now: float, waiting_s: float = 0.0) -> float:
        """How many engines such calls keep busy, beside the work of those that wait already."""
        return (self._faded_s(now) + waiting_s) / WINDOW_S

    def _faded_s(self, now: float) -> float:
        return self._asked_s * math.exp((self._at - now) / WINDOW_S)
