"""Output lengths that gateways have learned, for their next start."""

from __future__ import annotations

from redis.asyncio import Redis

from catenary.v1 import lengths_pb2

_PREFIX = "catenary:{lengths}:gateway:"
_TTL_S = 7 * 86_400


class LengthStore:
    """Keeps what each gateway has put last, for a week."""

    def __init__(self, redis: Redis, gateway_id: str) -> None:
        self._redis = redis
        self._key = _PREFIX + gateway_id

    async def put(self, content: bytes) -> None:
        """``content``: a serialised LearnedLengths."""
        await self._redis.execute_command("SET", self._key, content, "EX", _TTL_S)

    async def get(self) -> lengths_pb2.LearnedLengths:
        """Empty where there is nothing.

        Raises:
            google.protobuf.message.DecodeError: something else is stored there.
        """
        return lengths_pb2.LearnedLengths.FromString(await self._redis.execute_command("GET", self._key) or b"")
