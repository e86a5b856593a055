"""Output lengths that gateways have learned, for their next start."""

from __future__ import annotations

from redis.asyncio import Redis

from catenary.v1 import lengths_pb2

_PREFIX = b"catenary:{lengths}:gateway:"
_NEWEST = b"catenary:{lengths}:newest"
_TTL_S = 7 * 86_400


class LengthStore:
    """Keeps what each gateway has put last, and which of them was the last to, for a week."""

    def __init__(self, redis: Redis, gateway_id: str) -> None:
        self._redis = redis
        self._id = gateway_id.encode()

    async def put(self, content: bytes) -> None:
        """``content``: a serialised LearnedLengths."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.execute_command("SET", _PREFIX + self._id, content, "EX", _TTL_S)
        pipeline.execute_command("SET", _NEWEST, self._id, "EX", _TTL_S)
        await pipeline.execute()

    async def get(self) -> lengths_pb2.LearnedLengths:
        """This gateway's; where it has put none, the newest of the others'; empty where there is nothing.

        Raises:
            google.protobuf.message.DecodeError: something else is stored there.
        """
        content, newest = await self._redis.execute_command("MGET", _PREFIX + self._id, _NEWEST)
        if content is None and newest is not None:
            content = await self._redis.execute_command("GET", _PREFIX + newest)
        return lengths_pb2.LearnedLengths.FromString(content or b"")
