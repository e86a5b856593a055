"""Tells the provisioner what arrives at this gateway and what is still to come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from catenary.core.gateway.core import GatewayCore
from catenary.runtime.clock import now, wall
from catenary.runtime.store.demand import DemandBoard
from catenary.runtime.wire.demand import demand_to_proto


class DemandFeed:
    """Publishes the core's demand every ``interval_s`` seconds; a report that the store does not take is dropped."""

    def __init__(self, redis: Redis, core: Callable[[], GatewayCore], interval_s: float) -> None:
        self._board = DemandBoard(redis, max(3.0, 4 * interval_s))
        self._core = core
        self._interval_s = interval_s
        self._incarnation = round(wall() * 1000)

    async def run(self) -> None:
        while True:
            report = demand_to_proto(self._core().demand(self._incarnation, now()))
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self._board.put(report)
            await asyncio.sleep(self._interval_s)
