"""Whom a router follows: the workers that the registry lists, and those that it followed before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fake_worker import FakeWorker
from redis.asyncio import Redis

from catenary.core.router import RouterEvent, SnapshotArrived, WorkerLost
from catenary.runtime.store.workers import WorkerEntry, WorkerRegistry
from catenary_router.workers import WorkerWatcher


@asynccontextmanager
async def fake_worker() -> AsyncIterator[WorkerEntry]:
    worker = FakeWorker("w0", "m")
    await worker.server.start()
    try:
        yield WorkerEntry("w0", worker.server.address, 1)
    finally:
        await worker.server.stop(0.0)


@asynccontextmanager
async def watching(
    redis: Redis, *former: WorkerEntry, expected: tuple[str, ...] = (), spoilt: int = 0
) -> AsyncIterator[tuple[WorkerWatcher, list[RouterEvent]]]:
    """``spoilt``: how many of the first snapshots cannot be taken."""
    events: list[RouterEvent] = []

    def handle(event: RouterEvent) -> None:
        events.append(event)
        if isinstance(event, SnapshotArrived) and sum(isinstance(e, SnapshotArrived) for e in events) <= spoilt:
            raise ValueError("spoilt")

    watcher = WorkerWatcher(WorkerRegistry(redis), "router-0", 1, 0.05, expected, former, handle)
    task = asyncio.create_task(watcher.run())
    try:
        yield watcher, events
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settles(watcher: WorkerWatcher) -> None:
    for _ in range(500):
        if watcher.settled:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not settled within 5 s")


async def test_a_worker_is_followed_before_it_has_published_itself_again(redis: Redis) -> None:
    async with fake_worker() as entry, watching(redis, entry, expected=("w0",)) as (watcher, events):
        await settles(watcher)
        assert isinstance(events[0], SnapshotArrived)
        assert watcher.heard == {entry}
        await asyncio.sleep(0.2)
        assert watcher.heard == {entry}


async def test_a_former_worker_that_is_gone_is_given_up(redis: Redis) -> None:
    async with watching(redis, WorkerEntry("w0", "127.0.0.1:1", 1)) as (watcher, events):
        await settles(watcher)
        assert events == [WorkerLost("w0")]
        assert watcher.heard == frozenset()


async def test_nothing_is_settled_before_the_expected_workers_have_shown_themselves(redis: Redis) -> None:
    async with fake_worker() as entry, watching(redis, expected=("w0",)) as (watcher, _):
        await asyncio.sleep(0.2)
        assert not watcher.settled
        await WorkerRegistry(redis).publish("w0", entry.address, entry.incarnation, 5.0)
        await settles(watcher)


async def test_a_worker_whose_snapshot_cannot_be_taken_is_asked_again(redis: Redis) -> None:
    async with fake_worker() as entry, watching(redis, spoilt=1) as (watcher, events):
        await WorkerRegistry(redis).publish(entry.worker_id, entry.address, 1, 60.0)
        for _ in range(500):
            if len(events) >= 3:
                break
            await asyncio.sleep(0.01)
        assert [type(event) for event in events[:3]] == [SnapshotArrived, WorkerLost, SnapshotArrived]
        assert watcher.heard == {entry}
