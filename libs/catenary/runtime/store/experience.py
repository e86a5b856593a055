"""What gateways have learned, for their next start."""

from __future__ import annotations

from redis.asyncio import Redis

from catenary.v1 import experience_pb2

_PREFIX = b"catenary:{experience}:gateway:"
_NEWEST = b"catenary:{experience}:newest"
_TTL_S = 7 * 86_400


class ExperienceStore:
    """Keeps what each gateway has put last, and which of them was the last to, for a week."""

    def __init__(self, redis: Redis, gateway_id: str) -> None:
        self._redis = redis
        self._id = gateway_id.encode()

    async def put(self, content: bytes) -> None:
        """``content``: a serialised Experience."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.execute_command("SET", _PREFIX + self._id, content, "EX", _TTL_S)
        pipeline.execute_command("SET", _NEWEST, self._id, "EX", _TTL_S)
        await pipeline.execute()

    async def get(self) -> experience_pb2.Experience:
        """This gateway's; where it has put none, the newest of the others', without the ends of runs, which these tell
        by themselves; empty where there is nothing.

        Raises:
            google.protobuf.message.DecodeError: something else is stored there.
        """
        own, newest = await self._redis.execute_command("MGET", _PREFIX + self._id, _NEWEST)
        if own is not None or newest is None:
            return experience_pb2.Experience.FromString(own or b"")
        others = await self._redis.execute_command("GET", _PREFIX + newest)
        found = experience_pb2.Experience.FromString(others or b"")
        found.ClearField("ends")
        return found
