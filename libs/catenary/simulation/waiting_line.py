"""The calls that wait for a seat in an engine."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catenary.simulation.sequence import Sequence


class WaitingLine:
    """In the order of (priority, arrival), lower first. An aborted call leaves when it comes to the head.

    Calls that come at once reach the line ``gap_s`` apart.
    """

    __slots__ = ("_arrived_s", "_arriving", "_gap_s", "_heap", "_order", "num_waiting")

    def __init__(self, gap_s: float = 0.0) -> None:
        self.num_waiting = 0
        self._gap_s = gap_s
        self._arrived_s = -inf  # when the last one reaches the line
        self._arriving: deque[tuple[float, float, Sequence]] = deque()  # (when it does, priority, sequence)
        self._heap: list[tuple[float, int, Sequence]] = []
        self._order = 0

    @property
    def is_arriving(self) -> bool:
        return bool(self._arriving)

    def push(self, priority: float, sequence: Sequence, now: float) -> None:
        self.num_waiting += 1
        self._arrived_s = max(now, self._arrived_s + self._gap_s)
        if self._arrived_s > now:
            self._arriving.append((self._arrived_s, priority, sequence))
        else:
            self._join(priority, sequence)

    def begin_s(self, idle_s: float) -> float:
        """When an engine that is idle since ``idle_s`` can begin with one of the calls; there is one."""
        return idle_s if self.num_waiting > len(self._arriving) else max(idle_s, self._arriving[0][0])

    def arrive(self, now: float) -> None:
        arriving = self._arriving
        while arriving and arriving[0][0] <= now:
            _, priority, sequence = arriving.popleft()
            self._join(priority, sequence)

    def head(self) -> Sequence | None:
        heap = self._heap
        while heap and heap[0][2].gone:
            heappop(heap)
        return heap[0][2] if heap else None

    def pop(self) -> Sequence:
        """The head; ``head`` has just found one."""
        self.num_waiting -= 1
        return heappop(self._heap)[2]

    def leave(self) -> None:
        """A waiting call was aborted: it is ``gone``."""
        self.num_waiting -= 1
        self._arriving = deque(entry for entry in self._arriving if not entry[2].gone)

    def _join(self, priority: float, sequence: Sequence) -> None:
        self._order += 1
        heappush(self._heap, (priority, self._order, sequence))
