"""The waiting calls of one pool: one heap by order, one by the time at which each is lost."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from catenary.model.dispatch import NEVER, QueuedCall
from catenary.policy.ordering.triage import Claim


@dataclass(frozen=True, slots=True)
class _Entry:
    sequence: int
    call: QueuedCall
    claim: Claim | None


class CallQueue:
    """Keyed ``(key, sequence)``; entries of calls that left are skipped when they surface."""

    def __init__(self) -> None:
        self._by_order: list[tuple[float, int, str]] = []
        self._by_loss: list[tuple[float, int, str]] = []
        self._waiting: dict[str, _Entry] = {}
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._waiting

    def calls(self) -> list[QueuedCall]:
        return [entry.call for entry in self._waiting.values()]

    def claims(self) -> list[Claim]:
        """What the waiting calls ask for, in order of arrival, of those pushed with a claim."""
        return [entry.claim for entry in self._waiting.values() if entry.claim is not None]

    def push(self, call: QueuedCall, key: float, lost_at: float = NEVER, claim: Claim | None = None) -> None:
        """Add a call; one already waiting under the same id is replaced."""
        self._sequence += 1
        self._waiting[call.call_id] = _Entry(self._sequence, call, claim)
        heapq.heappush(self._by_order, (key, self._sequence, call.call_id))
        if lost_at != NEVER:
            heapq.heappush(self._by_loss, (lost_at, self._sequence, call.call_id))
        self._compact()

    def get(self, call_id: str) -> QueuedCall | None:
        entry = self._waiting.get(call_id)
        return entry.call if entry else None

    def first(self) -> QueuedCall | None:
        heap = self._by_order
        while heap:
            _, sequence, call_id = heap[0]
            entry = self._waiting.get(call_id)
            if entry is not None and entry.sequence == sequence:
                return entry.call
            heapq.heappop(heap)
        return None

    def remove(self, call_id: str) -> QueuedCall | None:
        entry = self._waiting.pop(call_id, None)
        return entry.call if entry else None

    def pop_lost(self, now: float) -> list[QueuedCall]:
        """Take out every call that is lost by ``now``."""
        lost = []
        while self._by_loss and self._by_loss[0][0] < now:
            _, sequence, call_id = heapq.heappop(self._by_loss)
            entry = self._waiting.get(call_id)
            if entry is not None and entry.sequence == sequence:
                lost.append(entry.call)
                del self._waiting[call_id]
        return lost

    def _compact(self) -> None:
        bound = 2 * len(self._waiting) + 64
        if len(self._by_order) > bound:
            self._by_order = self._live(self._by_order)
        if len(self._by_loss) > bound:
            self._by_loss = self._live(self._by_loss)

    def _live(self, heap: list[tuple[float, int, str]]) -> list[tuple[float, int, str]]:
        waiting = self._waiting
        live = [e for e in heap if (entry := waiting.get(e[2])) is not None and entry.sequence == e[1]]
        heapq.heapify(live)
        return live
