"""Snapshots to whoever watches: at once on a change, soon after calls, and regularly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from catenary.v1 import worker_service_pb2 as pb

SOON_S = 0.05


class SnapshotFeed:
    """Makes a snapshot only when one is due and somebody watches. Slow watchers get the newest and miss the others."""

    def __init__(self, make: Callable[[], pb.WorkerSnapshot], interval_s: float) -> None:
        self._make = make
        self._interval_s = interval_s
        self._due = asyncio.Event()
        self._soon: asyncio.TimerHandle | None = None
        self._watchers: set[asyncio.Event] = set()
        self._newest: pb.WatchSnapshotsResponse | None = None
        self._closed = False

    def now(self) -> None:
        """Something changed that watchers must know."""
        self._due.set()

    def soon(self) -> None:
        """Something changed that can wait for 50 ms of others like it."""
        if self._soon is None and self._watchers:
            self._soon = asyncio.get_running_loop().call_later(SOON_S, self._soon_is_now)

    def close(self) -> None:
        """End every watcher's stream."""
        self._closed = True
        for watcher in self._watchers:
            watcher.set()

    async def run(self) -> None:
        try:
            while True:
                await self._wait()
                if self._watchers:
                    self._newest = self._response()
                    for watcher in self._watchers:
                        watcher.set()
        finally:
            if self._soon is not None:
                self._soon.cancel()

    async def watch(self) -> AsyncIterator[pb.WatchSnapshotsResponse]:
        """One snapshot now, then each newest one."""
        changed = asyncio.Event()
        self._watchers.add(changed)
        try:
            yield self._response()
            while not self._closed:
                await changed.wait()
                changed.clear()
                if self._newest is not None:
                    yield self._newest
        finally:
            self._watchers.discard(changed)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._interval_s):
                await self._due.wait()
        except TimeoutError:
            pass
        self._due.clear()

    def _soon_is_now(self) -> None:
        self._soon = None
        self._due.set()

    def _response(self) -> pb.WatchSnapshotsResponse:
        return pb.WatchSnapshotsResponse(snapshot=self._make())
