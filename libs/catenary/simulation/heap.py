"""The virtual clock: events in the order (time, sequence)."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

Action = Callable[..., None]


class EventHeap:
    """``now`` moves from event to event, never back; events of one time happen in the order they were pushed."""

    def __init__(self) -> None:
        self.now = 0.0
        self.num_events = 0
        self._heap: list[tuple[float, int, Action, tuple[Any, ...]]] = []
        self._sequence = 0

    def at(self, time_s: float, action: Action, *arguments: Any) -> None:
        """Call ``action(*arguments)`` at ``time_s``, at once where that has passed."""
        self._sequence += 1
        at = time_s if time_s > self.now else self.now
        heapq.heappush(self._heap, (at, self._sequence, action, arguments))

    def after(self, delay_s: float, action: Action, *arguments: Any) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (self.now + delay_s, self._sequence, action, arguments))

    def step(self) -> bool:
        """Do the next event. False: there is none."""
        if not self._heap:
            return False
        self.now, _, action, arguments = heapq.heappop(self._heap)
        self.num_events += 1
        action(*arguments)
        return True
