"""Whether the store has room for new runs."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis
from redis.exceptions import RedisError

INTERVAL_S = 0.5
FULL_SHARE = 0.9


class StoreRoom:
    """Follows the store's memory. Over nine tenths of its limit new runs are refused, so that the admitted ones can
    still be written to their end: a store that refuses writes would keep their outcomes from their clients."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.full = ""

    async def follow(self) -> None:
        while True:
            try:
                memory = await self._redis.info("memory")
                self._take(int(memory["used_memory"]), int(memory["maxmemory"]))
            except (RedisError, OSError, TimeoutError, KeyError):
                pass
            await asyncio.sleep(INTERVAL_S)

    def _take(self, used: int, limit: int) -> None:
        """``full`` says why there is no room; empty: there is."""
        self.full = ""
        if limit and used > FULL_SHARE * limit:
            self.full = (
                f"the store uses {used >> 20} of {limit >> 20} MiB; raise store.max_memory_mb or lower "
                "store.run_retention_s"
            )
