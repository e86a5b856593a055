"""Reads what the gateways tell, and the profiles."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from catenary.core.provisioner.events import DemandArrived, ProfileChanged, ProvisionerEvent
from catenary.runtime.config import Config
from catenary.runtime.profiles import load_profiles
from catenary.runtime.store.demand import DemandBoard
from catenary.runtime.wire.demand import demand_from_proto

PROFILE_INTERVAL_S = 2.0


class DemandReader:
    """``notify`` hears of every gateway's report, and of the profiles every two seconds."""

    def __init__(
        self, config: Config, config_path: Path | None, redis: Redis, notify: Callable[[ProvisionerEvent], None]
    ) -> None:
        self._config = config
        self._config_path = config_path
        self._redis = redis
        self._board = DemandBoard(redis)
        self._notify = notify

    async def run(self) -> None:
        interval_s = self._config.provisioner.demand_interval_s
        reads = 0
        while True:
            try:
                if reads % max(1, round(PROFILE_INTERVAL_S / interval_s)) == 0:
                    await self._read_profiles()
                for message in await self._board.list():
                    self._notify(DemandArrived(demand_from_proto(message)))
            except (RedisError, OSError, TimeoutError) as error:
                structlog.get_logger().debug("demand unreadable", error=str(error))
            reads += 1
            await asyncio.sleep(interval_s)

    async def _read_profiles(self) -> None:
        for profile in (await load_profiles(self._config, self._redis, self._config_path)).values():
            self._notify(ProfileChanged(profile))
