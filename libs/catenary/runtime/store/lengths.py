"""Output lengths that gateways have learned, for their next start."""

from __future__ import annotations

from redis.asyncio import Redis

from catenary.v1 import lengths_pb2

_PREFIX = "catenary:{lengths}:gateway:"
_NEWEST = "catenary:{lengths}:newest"
_TTL_S = 7 * 86_400


class LengthStore:
    """Keeps what each gateway has put last, and what any of them has, for a week."""

    def __init__(self, redis: Redis, gateway_id: str) -> None:
        self._redis = redis
        self._key = _PREFIX + gateway_id

    async def put(self, content: bytes) -> None:
        """``content``: a serialised LearnedLengths."""
        pipeline = self._redis.pipeline(transaction=False)
        for key in (self._key, _NEWEST):
            pipeline.execute_command("SET", key, content, "EX", _TTL_S)
        await pipeline.execute()

    async def get(self) -> lengths_pb2.LearnedLengths:
        """This gateway's; where it has put none, the newest of the others'; empty where there is nothing.

        Raises:
            google.protobuf.message.DecodeError: something else is stored there.
        """
        own, newest = await self._redis.execute_command("MGET", self._key, _NEWEST)
        return lengths_pb2.LearnedLengths.FromString(own or newest or b"")
