"""Wakes the one reader of a queue."""

from __future__ import annotations

import asyncio

_GAP_PER_CALL_S, _MAX_GAP_S = 60e-6, 0.004
_MIN_DELTA_GAP_S, _MAX_DELTA_GAP_S = 0.001, 0.05
_MIN_CLIENT_GAP_S = 0.005
_DELTAS_PER_S = 2_000


def crowd_gap_s(num_calls: int) -> float:
    """Seconds between messages that carry calls and decisions, with ``num_calls`` calls under way: next to none for
    one, 1 ms for 16, and never more than 4 ms, for an engine may be idle meanwhile."""
    return min(_MAX_GAP_S, _GAP_PER_CALL_S * num_calls)


def delta_gap_s(num_calls: int) -> float:
    """Seconds between messages that carry token deltas of ``num_calls`` calls: 8 ms for 16, 50 ms for 100 and more.

    So some 2,000 deltas a second leave, whatever the number of calls. A delta costs a gateway 0.1 to 0.2 ms for any
    number of tokens, no engine waits for it, and text that comes 20 times a second still flows.
    """
    return min(_MAX_DELTA_GAP_S, max(_MIN_DELTA_GAP_S, num_calls / _DELTAS_PER_S))


def client_gap_s(num_runs: int) -> float:
    """Seconds between messages to the client of each of ``num_runs`` runs: the same, but 5 ms at least."""
    return max(_MIN_CLIENT_GAP_S, delta_gap_s(num_runs))


class Bell:
    """A ring is heard at once where the last one was heard ``gap_s`` seconds ago or more; else when they have passed.

    So a lone item never waits, and items that follow each other closely are taken together. An urgent ring is heard at
    once. A reader that ``yields`` wakes one loop turn later: behind those that were woken in the same turn. ``gap_s``
    may change at any time and holds from the next ring that is heard.
    """

    __slots__ = ("_due", "_next_at", "_timer", "_waiter", "_yields", "gap_s")

    def __init__(self, gap_s: float = 0.0, *, yields: bool = False) -> None:
        self.gap_s = gap_s
        self._yields = yields
        self._next_at = 0.0
        self._due = False
        self._timer: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Future[None] | None = None

    def ring(self, urgent: bool = False) -> None:
        if self._due:
            return
        if self.gap_s and not urgent:
            loop = asyncio.get_running_loop()
            if loop.time() < self._next_at:
                if self._timer is None:
                    self._timer = loop.call_at(self._next_at, self._fire)
                return
        self._fire()

    async def wait(self) -> None:
        """Until a ring is heard that was not heard before. One reader."""
        if not self._due:
            if self._waiter is not None:
                raise RuntimeError("a bell has one reader")
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._due = False
        if self.gap_s:
            self._next_at = asyncio.get_running_loop().time() + self.gap_s

    def _fire(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due = True
        if self._waiter is None:
            return
        if self._yields:
            asyncio.get_running_loop().call_soon(self._wake)
        else:
            self._wake()

    def _wake(self) -> None:
        if self._due and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
