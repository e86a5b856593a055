"""What the gateways expect of the pools, each gateway's newest report for a short time."""

from __future__ import annotations

import math

from redis.asyncio import Redis

from catenary.runtime.store.script import Script
from catenary.v1 import demand_pb2

_PREFIX = "catenary:{demand}:gateway:"
_INDEX = "catenary:{demand}:index"

# KEYS: report, index. ARGV: gateway_id, content, ttl_ms.
_PUT = Script(
    """
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('SADD', KEYS[2], ARGV[1])
return 1
"""
)

# KEYS: index. ARGV: prefix. Ids whose report has expired leave the index.
_LIST = Script(
    """
local found = {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local content = redis.call('GET', ARGV[1] .. id)
  if content then
    table.insert(found, content)
  else
    redis.call('SREM', KEYS[1], id)
  end
end
return found
"""
)


class DemandBoard:
    """Gateways publish more often than ``ttl_s``."""

    def __init__(self, redis: Redis, ttl_s: float = 3.0) -> None:
        self._redis = redis
        self._ttl_ms = max(1, math.ceil(ttl_s * 1000))

    async def put(self, report: demand_pb2.Demand) -> None:
        keys = (_PREFIX + report.gateway_id, _INDEX)
        await _PUT.run(self._redis, keys, report.gateway_id, report.SerializeToString(), self._ttl_ms)

    async def list(self) -> list[demand_pb2.Demand]:
        """The reports that have not expired, by gateway."""
        found = await _LIST.run(self._redis, (_INDEX,), _PREFIX)
        return sorted((demand_pb2.Demand.FromString(content) for content in found), key=lambda r: r.gateway_id)
