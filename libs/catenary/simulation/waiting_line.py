"""The calls that wait for a seat in an engine."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catenary.simulation.sequence import Sequence


class WaitingLine:
    """In the order of (priority, arrival), lower first. An aborted call leaves when it comes to the head."""

    __slots__ = ("_heap", "_order", "num_waiting")

    def __init__(self) -> None:
        self.num_waiting = 0
        self._heap: list[tuple[float, int, Sequence]] = []
        self._order = 0

    def push(self, priority: float, sequence: Sequence) -> None:
        self._order += 1
        self.num_waiting += 1
        heappush(self._heap, (priority, self._order, sequence))

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
        """A waiting call was aborted."""
        self.num_waiting -= 1
