"""Leases: one holder at a time, each with an epoch that no earlier holder had."""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import RedisError

from catenary.runtime.store.script import Script

# KEYS: lease, epochs. ARGV: token, holder, address, ttl_ms, name. The counter outlives the lease and never falls.
_ACQUIRE = Script(
    """
local token = redis.call('HGET', KEYS[1], 'token')
if token and token ~= ARGV[1] then return 0 end
local epoch = token and redis.call('HGET', KEYS[1], 'epoch') or redis.call('HINCRBY', KEYS[2], ARGV[5], 1)
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'holder', ARGV[2], 'address', ARGV[3], 'epoch', epoch)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return tonumber(epoch)
"""
)

# KEYS: lease. ARGV: token, ttl_ms.
_RENEW = Script(
    """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
)

# KEYS: lease. ARGV: token.
_RELEASE = Script(
    """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
)

_EPOCHS = "catenary:{leases}:epochs"


@dataclass(frozen=True, slots=True)
class LeaseInfo:
    """Who holds a lease and where it serves."""

    holder: str
    address: str
    epoch: int


class Lease:
    """This process's claim on a name. The store's clock decides when a lease that is not renewed ends.

    A restarted process of the same ``holder`` is another holder: it waits for the old lease to end.
    """

    def __init__(self, redis: Redis, name: str, holder: str, address: str, ttl_s: float) -> None:
        self._redis = redis
        self._name = name
        self._holder = holder
        self._address = address
        self._ttl_s = ttl_s
        self._ttl_ms = max(1, math.ceil(ttl_s * 1000))
        self._token = uuid.uuid4().hex
        self._valid_until_s = -math.inf

    @property
    def valid(self) -> bool:
        """Surely held, by this process's own clock: measured from before the last renewal was sent."""
        return time.monotonic() < self._valid_until_s

    async def acquire(self) -> int | None:
        """The epoch where the lease is now held; None where another holds it. Holding it already keeps the epoch."""
        sent_s = time.monotonic()
        epoch = await _ACQUIRE.run(
            self._redis,
            (_key(self._name), _EPOCHS),
            *(self._token, self._holder, self._address, self._ttl_ms, self._name),
        )
        if not epoch:
            return None
        self._valid_until_s = sent_s + self._ttl_s
        return int(epoch)

    async def hold(self, on_lost: Callable[[], None]) -> None:
        """Renew every third of the lease's time; call ``on_lost`` and return when it is lost.

        It is lost when another holds it, when it was released, or when no renewal succeeded for its whole time: a
        holder that the store cannot hear stops before another can begin.
        """
        while True:
            left_s = self._valid_until_s - time.monotonic()
            if left_s <= 0:
                break
            await asyncio.sleep(min(self._ttl_s / 3, left_s))
            if not await self._renew():
                break
        self._valid_until_s = -math.inf
        on_lost()

    async def release(self) -> None:
        """Give the lease up where it is held; another can acquire it at once."""
        self._valid_until_s = -math.inf
        await _RELEASE.run(self._redis, (_key(self._name),), self._token)

    @staticmethod
    async def read(redis: Redis, name: str) -> LeaseInfo | None:
        """The holder at this moment; None where nobody is."""
        fields: list[bytes | None] = await redis.execute_command("HMGET", _key(name), "holder", "address", "epoch")
        holder, address, epoch = fields
        if holder is None or address is None or epoch is None:
            return None
        return LeaseInfo(holder.decode(), address.decode(), int(epoch))

    async def _renew(self) -> bool:
        """False where the lease is lost for sure; no answer leaves the question to the next attempt."""
        sent_s = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, self._valid_until_s - sent_s)):
                held = await _RENEW.run(self._redis, (_key(self._name),), self._token, self._ttl_ms)
        except (RedisError, OSError, TimeoutError):
            return True
        if held and self._valid_until_s > -math.inf:
            self._valid_until_s = sent_s + self._ttl_s
        return bool(held)


def _key(name: str) -> str:
    return f"catenary:{{leases}}:lease:{name}"
