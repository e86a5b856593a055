"""Keeps learned output lengths over a restart of the gateway."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import structlog
from google.protobuf.message import DecodeError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from catenary.policy.length_window import Sample
from catenary.policy.lengths import Key, LengthModel
from catenary.runtime.store.lengths import LengthStore
from catenary.runtime.wire.lengths import lengths_from_proto, lengths_to_proto

INTERVAL_S = 10.0
MAX_KEYS = 256
"""Calls and stages of runs that are kept: at most 2 MB."""
STORE_ERRORS = (RedisError, OSError, TimeoutError)


class LengthMemory:
    """Stores what ``lengths`` has learned every INTERVAL_S while it learns; where the store does not answer, later."""

    def __init__(self, redis: Redis, gateway_id: str, lengths: Callable[[], LengthModel]) -> None:
        self._store = LengthStore(redis, gateway_id)
        self._lengths = lengths
        self._num_saved = 0

    async def recall(self) -> None:
        """Begin with what an earlier process of this gateway has learned, or another one where this id is new."""
        try:
            self._lengths().learn(lengths_from_proto(await self._store.get()))
        except (*STORE_ERRORS, DecodeError) as error:
            structlog.get_logger().warning("learned lengths are not known", error=str(error))

    async def run(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            await self.save()

    async def save(self) -> None:
        lengths = self._lengths()
        num_observed = lengths.num_observed
        if num_observed == self._num_saved:
            return
        content = await asyncio.to_thread(_serialised, lengths.known(MAX_KEYS))
        with contextlib.suppress(*STORE_ERRORS):
            await self._store.put(content)
            self._num_saved = num_observed


def _serialised(known: dict[Key, list[Sample]]) -> bytes:
    return lengths_to_proto(known).SerializeToString()
