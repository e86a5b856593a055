"""Which sequences of an engine finish when."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catenary.simulation.sequence import Sequence


class FinishSteps:
    """Running sequences by the iteration at which they finish, of equals the one that joined first. Those that are gone
    by then are skipped."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Sequence]] = []
        self._order = 0

    def push(self, step: int, sequence: Sequence) -> None:
        self._order += 1
        heappush(self._heap, (step, self._order, sequence))

    def first(self) -> int:
        """The iteration at which the next one finishes; one must be there."""
        heap = self._heap
        while heap[0][2].gone:
            heappop(heap)
        return heap[0][0]

    def due(self, step: int) -> Iterator[Sequence]:
        """Takes out those that finish by iteration ``step``."""
        heap = self._heap
        while heap and (heap[0][2].gone or heap[0][0] <= step):
            sequence = heappop(heap)[2]
            if not sequence.gone:
                yield sequence
