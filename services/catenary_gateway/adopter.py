"""Finds runs that nobody drives and takes them over; gives up those that another owner has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

import structlog
from redis.exceptions import RedisError

from catenary.runtime.clock import now
from catenary.runtime.store.errors import StoreError
from catenary.runtime.store.runs import RunStore, StoredRun, Unfinished
from catenary_gateway.ownership import Ownership

POLL_S = 0.25
AUDIT_S = 1.0
SETTLE_S = 1.0
STALL_S = 0.5
PAGE = 256
MAX_OWNED = 100_000
UNREACHABLE = (RedisError, StoreError, OSError, TimeoutError)

Take = Callable[[StoredRun, Unfinished, int], Awaitable[None]]


class Adopter:
    """Looks every 250 ms for owners that are gone, and every second whether the store and this gateway agree on what
    it owns.

    ``take`` gets a run that is owned from now on, with its new epoch; ``driven`` are the runs that this gateway drives,
    ``stored`` those of them that the store has acknowledged; ``fenced`` gets one that another owner has.

    After the store was out of reach, or slow, the owners have a second to renew their leases before they count as gone.
    """

    def __init__(
        self,
        ownership: Ownership,
        store: RunStore,
        take: Take,
        driven: Collection[str],
        stored: Callable[[], list[str]],
        fenced: Callable[[str], None],
    ) -> None:
        self._ownership = ownership
        self._store = store
        self._take = take
        self._driven = driven
        self._stored = stored
        self._fenced = fenced
        self._audit_at = 0.0
        self._settled_at = now() + SETTLE_S
        self._log = structlog.get_logger()

    def audit_soon(self) -> None:
        """What the store has under this owner's name may have changed without its doing."""
        self._audit_at = 0.0

    async def run(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self._look()
            except UNREACHABLE:
                self._settled_at = now() + SETTLE_S

    async def _look(self) -> None:
        asked_at = now()
        if now() >= self._audit_at:
            self._audit_at = now() + AUDIT_S
            await self._audit()
        if not self._ownership.held:
            self._settled_at = now() + SETTLE_S
            return
        owners = await self._store.owners()
        self._note_stall(asked_at)
        for owner in owners:
            if owner != self._ownership.owner and await self._is_gone(owner):
                await self._adopt_all(owner)

    async def _audit(self) -> None:
        """A write whose answer was lost, or one that arrives late from a process that stood still, leaves a run that
        nobody drives, or that two do and only one may: neither would hear of it before its next write, if ever."""
        owner = self._ownership.owner
        stored = self._stored()
        owned = await self._store.owned(owner, MAX_OWNED)
        missing = sorted(set(stored).difference(owned))
        holders = await self._store.owners_of(missing) if missing else []
        for run_id, holder in zip(missing, holders, strict=True):
            if holder not in (None, owner) and run_id in self._driven:
                self._fenced(run_id)
        for run_id in owned:
            if self._ownership.held and run_id not in self._driven:
                await self._adopt(run_id, owner)

    async def _is_gone(self, owner: str) -> bool:
        if self._ownership.is_predecessor(owner):
            return True
        asked_at = now()
        address = await self._ownership.address_of(owner)
        self._note_stall(asked_at)
        return address is None and now() >= self._settled_at

    def _note_stall(self, asked_at: float) -> None:
        """A store that stood still says of every lease that it has ended, also of those that are just taken again."""
        if now() - asked_at > STALL_S:
            self._settled_at = now() + SETTLE_S

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
            self.audit_soon()
            raise
        return True
