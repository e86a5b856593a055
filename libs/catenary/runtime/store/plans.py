"""The provisioner's plan in force."""

from __future__ import annotations

from redis.asyncio import Redis

from catenary.runtime.store.script import Script
from catenary.v1 import provisioner_service_pb2

_PLAN = "catenary:{plan}:newest"

# KEYS: plan. ARGV: epoch, content.
_PUT = Script(
    """
local have = redis.call('HGET', KEYS[1], 'epoch')
if have and tonumber(have) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'content', ARGV[2])
return 1
"""
)


class PlanStore:
    """Keeps one plan: the last one of the highest epoch."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def put(self, plan: provisioner_service_pb2.Plan) -> bool:
        """False where a later epoch has published."""
        return bool(await _PUT.run(self._redis, (_PLAN,), plan.epoch, plan.SerializeToString()))

    async def get(self) -> provisioner_service_pb2.Plan | None:
        content = await self._redis.execute_command("HGET", _PLAN, "content")
        return None if content is None else provisioner_service_pb2.Plan.FromString(content)
