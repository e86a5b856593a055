"""Keeps what runs have taught over a restart of the gateway."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import structlog
from google.protobuf.message import DecodeError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from catenary.core.gateway.core import GatewayCore
from catenary.core.gateway.experience import Experience
from catenary.runtime.store.experience import ExperienceStore
from catenary.runtime.wire.experience import experience_from_proto, experience_to_proto

INTERVAL_S = 10.0
MAX_KEYS = 256
"""Entries of each kind that are kept: at most 2 MB of lengths and a tenth of it of all others."""
STORE_ERRORS = (RedisError, OSError, TimeoutError)


class KeptExperience:
    """Stores what ``core`` has learned every INTERVAL_S while it learns; where the store does not answer, later."""

    def __init__(self, redis: Redis, gateway_id: str, core: Callable[[], GatewayCore]) -> None:
        self._store = ExperienceStore(redis, gateway_id)
        self._core = core
        self._num_saved = 0

    async def recall(self) -> None:
        """Begin with what an earlier process of this gateway has learned, or another one where this id is new."""
        try:
            self._core().learn(experience_from_proto(await self._store.get()))
        except (*STORE_ERRORS, DecodeError) as error:
            structlog.get_logger().warning("what earlier runs taught is not known", error=str(error))

    async def run(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            await self.save()

    async def save(self) -> None:
        core = self._core()
        num_observed = core.num_observed
        if num_observed == self._num_saved:
            return
        content = await asyncio.to_thread(_serialised, core.experience(MAX_KEYS))
        with contextlib.suppress(*STORE_ERRORS):
            await self._store.put(content)
            self._num_saved = num_observed


def _serialised(experience: Experience) -> bytes:
    return experience_to_proto(experience).SerializeToString()
