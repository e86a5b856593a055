"""Whether the clients of a run are still there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from catenary.runtime.clock import now
from catenary_gateway.feeds import Feed

STALL_S = 1.0


class Presence:
    """A run that is not detached ends when its clients leave: at once, or where its feed forgives after ``grace_s``.

    A gateway that stood still for a second cannot tell a client that left from one that lost patience: it forgives.
    """

    def __init__(self, grace_s: float, cancel: Callable[[str, str], None]) -> None:
        self._grace_s = grace_s
        self._cancel = cancel
        self._beat_at = now()
        self._stalled_until = 0.0
        self.stopping = False

    def beat(self) -> None:
        """The event loop runs."""
        at = now()
        if at - self._beat_at > STALL_S:
            self._stalled_until = at + self._grace_s
        self._beat_at = at

    def left(self, run_id: str, feed: Feed) -> None:
        """A stream of the run has ended."""
        if self.stopping or feed.closed or feed.detached:
            return
        self.beat()
        if now() < self._stalled_until:
            feed.forgives = True
        if feed.forgives:
            self.await_return(run_id, feed)
        elif feed.num_attached == 0:
            self._cancel(run_id, "the client went away")

    def await_return(self, run_id: str, feed: Feed) -> None:
        """End the run unless somebody watches it in ``grace_s`` seconds."""
        feed.left_at = now()
        asyncio.get_running_loop().call_later(self._grace_s, self._check, run_id, feed)

    def _check(self, run_id: str, feed: Feed) -> None:
        absent_s = now() - feed.left_at
        if self.stopping or feed.closed or feed.detached or feed.subscriptions or absent_s < 0.99 * self._grace_s:
            return
        self._cancel(run_id, f"no client came back within {self._grace_s:g} s")
