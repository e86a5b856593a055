"""Profiles of engines, one per (model, accelerator, engine and version, engine settings)."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from catenary.runtime.store.errors import StoreFull
from catenary.runtime.store.script import Script
from catenary.v1 import profile_pb2

_PROFILES = "catenary:{profiles}:newest"
_VERSIONS = "catenary:{profiles}:versions"

# KEYS: profiles, versions. ARGV: key, version, content, max_profiles.
_PUT = Script(
    """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return -1 end
if tonumber(redis.call('HGET', KEYS[2], ARGV[1])) == tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 1
"""
)


class ProfileStore:
    """Keeps the newest version under each key, at most ``max_profiles`` keys."""

    def __init__(self, redis: Redis, max_profiles: int = 1_000) -> None:
        self._redis = redis
        self._max_profiles = max_profiles

    async def put(self, profile: profile_pb2.Profile) -> profile_pb2.Profile:
        """Store ``profile`` under the next version of its key and return it with that version.

        Raises:
            StoreFull: ``max_profiles`` keys are kept and this one is new.
        """
        key = _key(profile)
        stored = profile_pb2.Profile()
        stored.CopyFrom(profile)
        stored.version = await self._redis.execute_command("HINCRBY", _VERSIONS, key, 1)
        content = stored.SerializeToString()
        reply = await _PUT.run(self._redis, (_PROFILES, _VERSIONS), key, stored.version, content, self._max_profiles)
        if reply < 0:
            await self._redis.execute_command("HDEL", _VERSIONS, key)
            raise StoreFull(f"{self._max_profiles} profiles are kept, the bound of the store")
        return stored

    async def update(self, profile: profile_pb2.Profile) -> None:
        """Store ``profile`` under its own version; nothing happens where a newer one is kept."""
        key = _key(profile)
        content = profile.SerializeToString()
        await _PUT.run(self._redis, (_PROFILES, _VERSIONS), key, profile.version, content, self._max_profiles)

    async def get(self, model: str) -> profile_pb2.Profile | None:
        """The profile of ``model`` that was measured last, on whatever accelerator; None: there is none."""
        return max(
            (profile for profile in await self.list() if profile.model == model),
            key=lambda profile: (profile.measure_time.ToNanoseconds(), profile.version),
            default=None,
        )

    async def list(self) -> list[profile_pb2.Profile]:
        """All profiles, by key."""
        found: Sequence[bytes] = await self._redis.execute_command("HVALS", _PROFILES)
        profiles = [profile_pb2.Profile.FromString(content) for content in found]
        return sorted(profiles, key=_key)


def _key(profile: profile_pb2.Profile) -> str:
    return f"{profile.model}|{profile.accelerator}|{profile.engine}|{profile.settings_digest}"
