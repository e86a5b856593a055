"""Workers that somebody else starts: they register themselves in the store."""

from __future__ import annotations

import asyncio

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from catenary.core.provisioner.events import ProcessEnded, WorkerServing
from catenary.runtime.store.workers import WorkerRegistry
from catenary.runtime.tasks import cancel
from catenary_provisioner.cluster.port import Notify, RunningWorker


class StaticCluster:
    """Reads the registry every ``interval_s`` seconds; starts and stops nothing."""

    def __init__(self, redis: Redis, interval_s: float, notify: Notify) -> None:
        self._registry = WorkerRegistry(redis)
        self._interval_s = interval_s
        self._notify = notify
        self._seen: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._task = asyncio.create_task(self._poll(), name="worker registry")

    def start(self, worker_id: str, attempt: int) -> None:
        self._notify(ProcessEnded(worker_id, attempt, "could not be started: its process is not this cluster's"))

    def stop(self, worker_id: str, at_once: bool) -> None:
        """External workers go on."""

    def list(self) -> list[RunningWorker]:
        return [RunningWorker(worker_id, 0, 0) for worker_id in sorted(self._seen)]

    async def close(self) -> None:
        if self._task is not None:
            await cancel(self._task)

    async def _poll(self) -> None:
        while True:
            try:
                await self._read()
            except (RedisError, OSError, TimeoutError) as error:
                structlog.get_logger().warning("worker registry unreadable", error=str(error))
            await asyncio.sleep(self._interval_s)

    async def _read(self) -> None:
        before, self._seen = self._seen, {entry.worker_id: entry.address for entry in await self._registry.list()}
        for worker_id in before.keys() - self._seen.keys():
            self._notify(ProcessEnded(worker_id, 0, "is no longer registered"))
        for worker_id, address in self._seen.items():
            self._notify(WorkerServing(worker_id, 0, address))
