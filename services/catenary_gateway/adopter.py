"""Finds runs whose owner is gone and takes them over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from redis.exceptions import RedisError

from catenary.runtime.clock import now
from catenary.runtime.store.errors import StoreError
from catenary.runtime.store.runs import RunStore, StoredRun, Unfinished
from catenary_gateway.ownership import Ownership

POLL_S = 0.25
SETTLE_S = 1.0
PAGE = 256
UNREACHABLE = (RedisError, StoreError, OSError, TimeoutError)

Take = Callable[[StoredRun, Unfinished, int], Awaitable[None]]


class Adopter:
    """Looks every 250 ms. ``take`` gets a run that is owned from now on, with its new epoch; ``drives`` says whether
    this gateway drives a run already.

    After the store was out of reach the owners have a second to renew their leases before they count as gone.
    """

    def __init__(self, ownership: Ownership, store: RunStore, take: Take, drives: Callable[[str], bool]) -> None:
        self._ownership = ownership
        self._store = store
        self._take = take
        self._drives = drives
        self._unsure: set[str] = set()
        self._settled_at = now() + SETTLE_S
        self._log = structlog.get_logger()

    def unsure(self, run_id: str) -> None:
        """The store has the run under this owner's name, or may have it; nobody drives it."""
        self._unsure.add(run_id)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self._look()
            except UNREACHABLE:
                self._settled_at = now() + SETTLE_S

    async def _look(self) -> None:
        if not self._ownership.held:
            self._settled_at = now() + SETTLE_S
            return
        for run_id in list(self._unsure):
            if not self._drives(run_id):
                await self._adopt(run_id, self._ownership.owner)
            self._unsure.discard(run_id)
        for owner in await self._store.owners():
            if owner != self._ownership.owner and await self._is_gone(owner):
                await self._adopt_all(owner)

    async def _is_gone(self, owner: str) -> bool:
        if self._ownership.is_predecessor(owner):
            return True
        return now() >= self._settled_at and await self._ownership.address_of(owner) is None

    async def _adopt_all(self, owner: str) -> None:
        num_adopted = 0
        while run_ids := await self._store.owned(owner, PAGE):
            adopted = await asyncio.gather(*(self._adopt(run_id, owner) for run_id in run_ids))
            num_adopted += sum(adopted)
            if not any(adopted):
                break
        if num_adopted:
            self._log.info("runs taken over", owner=owner, num_runs=num_adopted)

    async def _adopt(self, run_id: str, owner: str) -> bool:
        stored = await self._store.get(run_id)
        if stored is None or stored.final or stored.owner != owner:
            return False
        epoch = stored.epoch + 1
        try:
            if not await self._store.take_over(run_id, self._ownership.owner, stored.epoch, epoch):
                return False
            unfinished = await self._store.unfinished(run_id)
            if unfinished is None:
                return False
            await self._take(stored, unfinished, epoch)
        except UNREACHABLE:
            self.unsure(run_id)
            raise
        return True
