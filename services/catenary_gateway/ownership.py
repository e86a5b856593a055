"""Who this gateway is as an owner of runs, and whether other owners live."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from catenary.runtime.clock import now
from catenary.runtime.store.lease import Lease

RETRY_S = 0.1
PATIENCE_S = 3.0


class IdTaken(Exception):
    """Another gateway of this id is alive."""


class Ownership:
    """An owner is one process: ``GATEWAY_ID:TOKEN``. It lives while it holds the lease of its id."""

    def __init__(self, redis: Redis, gateway_id: str, ttl_s: float) -> None:
        self._redis = redis
        self._gateway_id = gateway_id
        self._ttl_s = ttl_s
        self._lease: Lease | None = None
        self._log = structlog.get_logger()
        self.owner = f"{gateway_id}:{secrets.token_hex(4)}"

    @property
    def held(self) -> bool:
        return self._lease is not None and self._lease.valid

    async def begin(self, address: str) -> None:
        """Take the lease; a dead namesake's is waited for.

        Raises:
            IdTaken: another process keeps it.
        """
        self._lease = Lease(self._redis, _name(self._gateway_id), self.owner, address, self._ttl_s)
        give_up_at = now() + self._ttl_s + PATIENCE_S
        waiting = False
        while not await self._acquire(self._lease):
            if not waiting:
                self._log.info("waits for the lease of its id", gateway_id=self._gateway_id)
            waiting = True
            if now() >= give_up_at and (info := await Lease.read(self._redis, _name(self._gateway_id))) is not None:
                raise IdTaken(
                    f"gateway.id: {self._gateway_id!r} is in use by the gateway at {info.address}; start this one "
                    "with another --id"
                )
            await asyncio.sleep(RETRY_S)

    async def keep(self, on_regained: Callable[[], None]) -> None:
        """Renew the lease for ever. Where it is lost, take it again as soon as the store lets it and call
        ``on_regained``: others may have taken runs over meanwhile."""
        assert self._lease is not None
        lost = False
        while True:
            if await self._acquire(self._lease):
                if lost:
                    on_regained()
                await self._lease.hold(lambda: self._log.warning("lease of the gateway is lost"))
                lost = True
            await asyncio.sleep(RETRY_S)

    async def release(self) -> None:
        """Let others take the runs over at once."""
        if self.held and self._lease is not None:
            await asyncio.gather(self._lease.release(), return_exceptions=True)

    def is_predecessor(self, owner: str) -> bool:
        """A former process of this id: it can never come back, since this one holds the lease."""
        return owner != self.owner and owner.rpartition(":")[0] == self._gateway_id

    async def address_of(self, owner: str) -> str | None:
        """Where a living owner serves; None where it is gone. Raises RedisError."""
        info = await Lease.read(self._redis, _name(owner.rpartition(":")[0]))
        return info.address if info is not None and info.holder == owner else None

    async def _acquire(self, lease: Lease) -> bool:
        try:
            return await lease.acquire() is not None
        except (RedisError, OSError, TimeoutError):
            return False


def _name(gateway_id: str) -> str:
    return f"gateway:{gateway_id}"
