"""The router's eyes: one snapshot stream to each live worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable

import grpc
import structlog
from redis.exceptions import RedisError

from catenary.core.router import RouterEvent, SnapshotArrived, WorkerLost
from catenary.runtime.rpc import channel
from catenary.runtime.store.workers import WorkerEntry, WorkerRegistry
from catenary.runtime.tasks import cancel
from catenary.runtime.wire.worker import worker_from_proto
from catenary.v1 import worker_service_pb2, worker_service_pb2_grpc

RETRY_S = 0.2


class WorkerWatcher:
    """Follows the registry every ``interval_s`` seconds and feeds what the workers say to ``handle``.

    ``expected``: ids of the workers that should be there. A worker that the registry lacks is followed while its stream
    lasts: after the store was out of reach, all entries have expired until their workers publish themselves again. So
    are those that this router followed when it led before (``former``), until a stream of theirs ends.
    """

    def __init__(
        self,
        registry: WorkerRegistry,
        router_id: str,
        epoch: int,
        interval_s: float,
        expected: Collection[str],
        former: Collection[WorkerEntry],
        handle: Callable[[RouterEvent], None],
    ) -> None:
        self._registry = registry
        self._router_id = router_id
        self._epoch = epoch
        self._interval_s = interval_s
        self._expected = expected
        self._handle = handle
        self._tasks: dict[WorkerEntry, asyncio.Task[None]] = {}
        self._heard: set[WorkerEntry] = set()
        self._former = set(former)
        self._listed = False
        self._log = structlog.get_logger()

    @property
    def heard(self) -> frozenset[WorkerEntry]:
        """The workers whose stream lasts."""
        return frozenset(self._heard)

    @property
    def settled(self) -> bool:
        """Every live worker and every expected one has sent a snapshot."""
        heard = {entry.worker_id for entry in self._heard}
        return self._listed and self._heard.issuperset(self._tasks) and heard.issuperset(self._expected)

    async def run(self) -> None:
        self._begin(self._former)
        try:
            while True:
                try:
                    await self._follow(await self._registry.list())
                except (RedisError, OSError, TimeoutError) as error:
                    self._log.warning("worker registry unreachable", error=str(error))
                await asyncio.sleep(self._interval_s)
        finally:
            await self._stop(list(self._tasks))

    async def _follow(self, entries: list[WorkerEntry]) -> None:
        listed = {entry.worker_id for entry in entries}
        kept = {entry for entry in self._heard | self._former if entry.worker_id not in listed}
        await self._stop([known for known in self._tasks if known not in entries and known not in kept])
        self._begin(entries)
        self._listed = True

    def _begin(self, entries: Iterable[WorkerEntry]) -> None:
        for entry in entries:
            if entry not in self._tasks:
                self._tasks[entry] = asyncio.create_task(self._watch(entry), name=f"worker {entry.worker_id}")

    async def _stop(self, entries: list[WorkerEntry]) -> None:
        await cancel(*[self._tasks.pop(entry) for entry in entries])

    async def _watch(self, entry: WorkerEntry) -> None:
        request = worker_service_pb2.WatchSnapshotsRequest(watcher_id=self._router_id, router_epoch=self._epoch)
        async with channel(entry.address) as connection:
            stub = worker_service_pb2_grpc.WorkerServiceStub(connection)
            while True:
                stream = stub.WatchSnapshots(request)
                try:
                    async for response in stream:
                        self._heard.add(entry)
                        self._handle(SnapshotArrived(worker_from_proto(response.snapshot)))
                except grpc.RpcError as error:
                    self._log.info("worker stream ended", worker_id=entry.worker_id, error=str(error.code()))
                except Exception as error:  # a snapshot that cannot be taken costs its worker, not the pools
                    self._log.error("worker snapshot not taken", worker_id=entry.worker_id, exc_info=error)
                finally:
                    stream.cancel()
                    self._heard.discard(entry)
                    self._former.discard(entry)
                    self._handle(WorkerLost(entry.worker_id))
                await asyncio.sleep(RETRY_S)
