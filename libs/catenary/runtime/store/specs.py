"""Registered workflows by name and version."""

from __future__ import annotations

from redis.asyncio import Redis

from catenary.runtime.store.errors import StoreFull
from catenary.runtime.store.script import Script

_PREFIX = "catenary:{specs}:spec:"
_VERSIONS = "catenary:{specs}:versions"
_NEWEST = "catenary:{specs}:newest"

# KEYS: spec, versions, newest. ARGV: name, version, content, max_specs.
_PUT = Script(
    """
local created = redis.call('EXISTS', KEYS[1]) == 0
if created then
  if redis.call('SCARD', KEYS[2]) >= tonumber(ARGV[4]) then return -1 end
  redis.call('SET', KEYS[1], ARGV[3])
  redis.call('SADD', KEYS[2], ARGV[1] .. '@' .. ARGV[2])
end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
return created and 1 or 0
"""
)


class SpecStore:
    """At most ``max_specs`` versions of all workflows together; a further one is refused."""

    def __init__(self, redis: Redis, max_specs: int = 10_000) -> None:
        self._redis = redis
        self._max_specs = max_specs

    async def put(self, name: str, version: str, content: bytes) -> bool:
        """Store a version and make it the newest of ``name``; False where this version was there.

        Raises:
            StoreFull: ``max_specs`` versions are kept.
        """
        reply = await _PUT.run(
            self._redis, (_key(name, version), _VERSIONS, _NEWEST), name, version, content, self._max_specs
        )
        if reply < 0:
            raise StoreFull(f"{self._max_specs} workflow versions are registered, the bound of the store")
        return bool(reply)

    async def get(self, name: str, version: str | None = None) -> tuple[str, bytes] | None:
        """The version and its content; the newest one where ``version`` is None. None where it is not there."""
        if version is None:
            newest: bytes | None = await self._redis.execute_command("HGET", _NEWEST, name)
            if newest is None:
                return None
            version = newest.decode()
        content: bytes | None = await self._redis.execute_command("GET", _key(name, version))
        return None if content is None else (version, content)


def _key(name: str, version: str) -> str:
    return f"{_PREFIX}{name}@{version}"
