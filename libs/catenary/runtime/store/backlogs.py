"""What each gateway has admitted and no engine has yet, for the other gateways."""

from __future__ import annotations

import math

from redis.asyncio import Redis

from catenary.runtime.store.script import Script
from catenary.v1 import dispatch_pb2

_PREFIX = "catenary:{backlogs}:gateway:"
_INDEX = "catenary:{backlogs}:index"

# KEYS: own entry, index. ARGV: gateway_id, content, ttl_ms, prefix. Ids whose entry has expired leave the index.
_EXCHANGE = Script(
    """
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('SADD', KEYS[2], ARGV[1])
local found = {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  if id ~= ARGV[1] then
    local content = redis.call('GET', ARGV[4] .. id)
    if content then
      table.insert(found, {id, content})
    else
      redis.call('SREM', KEYS[2], id)
    end
  end
end
return found
"""
)


class BacklogStore:
    """Gateways publish theirs more often than ``ttl_s``; who stops is gone."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def exchange(
        self, gateway_id: str, backlog: dispatch_pb2.GatewayBacklog, ttl_s: float
    ) -> dict[str, dispatch_pb2.GatewayBacklog]:
        """Publish one's own for ``ttl_s`` seconds; returns those of the other gateways by id."""
        ttl_ms = max(1, math.ceil(ttl_s * 1000))
        keys = (_PREFIX + gateway_id, _INDEX)
        found = await _EXCHANGE.run(self._redis, keys, gateway_id, backlog.SerializeToString(), ttl_ms, _PREFIX)
        return {name.decode(): dispatch_pb2.GatewayBacklog.FromString(content) for name, content in found}
