"""Which workers are alive and where."""

from __future__ import annotations

import math
from dataclasses import dataclass

from redis.asyncio import Redis

from catenary.runtime.store.script import Script

_PREFIX = "catenary:{workers}:worker:"
_INDEX = "catenary:{workers}:index"

# KEYS: worker, index. ARGV: worker_id, address, incarnation, ttl_ms.
_PUBLISH = Script(
    """
local have = redis.call('HGET', KEYS[1], 'incarnation')
if have and tonumber(have) > tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], 'address', ARGV[2], 'incarnation', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('SADD', KEYS[2], ARGV[1])
return 1
"""
)

# KEYS: index. ARGV: prefix. Ids whose entry has expired leave the index.
_LIST = Script(
    """
local found = {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local entry = redis.call('HMGET', ARGV[1] .. id, 'address', 'incarnation')
  if entry[1] then
    table.insert(found, {id, entry[1], entry[2]})
  else
    redis.call('SREM', KEYS[1], id)
  end
end
return found
"""
)

# KEYS: worker, index. ARGV: worker_id, incarnation.
_REMOVE = Script(
    """
if redis.call('HGET', KEYS[1], 'incarnation') ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[1])
return 1
"""
)


@dataclass(frozen=True, slots=True)
class WorkerEntry:
    """A worker that has published itself within its time to live."""

    worker_id: str
    address: str
    incarnation: int


class WorkerRegistry:
    """Workers publish themselves more often than ``ttl_s``; who stops is gone."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def publish(self, worker_id: str, address: str, incarnation: int, ttl_s: float) -> bool:
        """Be listed for ``ttl_s`` seconds; False where a later incarnation is."""
        ttl_ms = max(1, math.ceil(ttl_s * 1000))
        keys = (_PREFIX + worker_id, _INDEX)
        return bool(await _PUBLISH.run(self._redis, keys, worker_id, address, incarnation, ttl_ms))

    async def list(self) -> list[WorkerEntry]:
        """The live workers by id."""
        found = await _LIST.run(self._redis, (_INDEX,), _PREFIX)
        return sorted(
            (
                WorkerEntry(worker.decode(), address.decode(), int(incarnation))
                for worker, address, incarnation in found
            ),
            key=lambda entry: entry.worker_id,
        )

    async def remove(self, worker_id: str, incarnation: int) -> None:
        """Leave the list, unless another incarnation is on it."""
        await _REMOVE.run(self._redis, (_PREFIX + worker_id, _INDEX), worker_id, incarnation)
