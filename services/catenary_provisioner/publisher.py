"""Keeps the store's copy of the plan up to date."""

from __future__ import annotations

import asyncio

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from catenary.runtime.background import Background
from catenary.runtime.store.plans import PlanStore
from catenary.runtime.tasks import cancel
from catenary.v1.provisioner_service_pb2 import Plan

_PAUSE_S = 0.1


class PlanPublisher:
    """Writes the newest plan after each change, at most ten times a second; a failed write is repeated."""

    def __init__(self, redis: Redis, background: Background) -> None:
        self._background = background
        self._store = PlanStore(redis)
        self._plan = Plan()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = self._background.spawn(self._run(), essential=True)

    def offer(self, plan: Plan) -> None:
        """Have ``plan`` written instead of all earlier ones."""
        self._plan = plan
        self._changed.set()

    async def stop(self) -> None:
        """Publish a last time, as far as the store answers."""
        if self._task is None:
            return
        await cancel(self._task)
        await self._publish()

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if not await self._publish():
                self._changed.set()
            await asyncio.sleep(_PAUSE_S)

    async def _publish(self) -> bool:
        try:
            await self._store.put(self._plan)
        except (RedisError, OSError, TimeoutError) as error:
            structlog.get_logger().warning("plan not published", error=str(error))
            return False
        return True
