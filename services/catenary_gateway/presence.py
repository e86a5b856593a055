"""Whether the clients of a run are still there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from catenary.runtime.clock import now
from catenary_gateway.feeds import Feed

STALL_S = 1.0


class Presence:
    """A run that is not detached ends when nobody has followed it for ``grace_s``.

    A broken connection, a reader that was too slow and a client that left look the same from here, and all but the last
    come back. A client that leaves on purpose says so with CancelRun. A gateway that stood still for a second gives
    the clients that lost patience their time from then on.
    """

    def __init__(self, grace_s: float, cancel: Callable[[str, str], None]) -> None:
        self._grace_s = grace_s
        self._cancel = cancel
        self._beat_at = now()
        self._stalled_at = 0.0
        self.stopping = False

    def beat(self) -> None:
        """The event loop runs."""
        at = now()
        if at - self._beat_at > STALL_S:
            self._stalled_at = at
        self._beat_at = at

    def left(self, run_id: str, feed: Feed) -> None:
        """A stream of the run has ended, or the run was just taken over: it ends unless somebody watches it in time."""
        if self._is_kept(feed):
            return
        feed.left_at = now()
        asyncio.get_running_loop().call_later(self._grace_s, self._check, run_id, feed)

    def _is_kept(self, feed: Feed) -> bool:
        return self.stopping or feed.closed or feed.detached or bool(feed.subscriptions)

    def _check(self, run_id: str, feed: Feed) -> None:
        self.beat()
        if self._is_kept(feed) or now() - feed.left_at < 0.99 * self._grace_s:
            return
        if feed.left_at < self._stalled_at:
            self.left(run_id, feed)
            return
        self._cancel(run_id, f"no client came back within {self._grace_s:g} s")
