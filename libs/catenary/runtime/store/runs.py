"""Runs and their numbered events."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from catenary.runtime.store.errors import StoreFull
from catenary.runtime.store.run_scripts import APPEND, CREATE, OWNED, RESTORE, TAKE_OVER
from catenary.runtime.store.writer import StoreWriter

_PREFIX = "catenary:{runs}:run:"
_INDEX = "catenary:{runs}:index"
_EXPIRIES = "catenary:{runs}:expiries"
_OWNERS = "catenary:{runs}:owners"
_FIELDS = ("header", "owner", "epoch", "spec_digest", "final")
_UNFINISHED_TTL_S = 7 * 86_400
_MAX_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class CreateResult:
    """``created`` False: the run was there; the other fields are those of the run that is stored."""

    created: bool
    spec_digest: str
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class StoredRun:
    """``header`` is a serialised Run; ``final``: its last event is stored."""

    run_id: str
    header: bytes
    owner: str
    epoch: int
    spec_digest: str
    num_events: int
    final: bool


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What another owner needs to go on with a run. ``age_s``: since its creation, by the store's clock."""

    request: bytes
    events: Sequence[bytes]
    age_s: float


class RunStore:
    """Writes compare the owner's epoch. Finished runs expire after ``retention_s``, abandoned ones after a week.

    At most ``max_runs`` runs are kept, unexpired finished ones included; a further one is refused.
    """

    def __init__(self, redis: Redis, writer: StoreWriter, retention_s: float, max_runs: int) -> None:
        self._redis = redis
        self._writer = writer
        self._retention_ms = math.ceil(retention_s * 1000)
        self._max_runs = max_runs

    def create(
        self,
        run_id: str,
        owner: str,
        epoch: int,
        spec_digest: str,
        header: bytes,
        request: bytes = b"",
        events: Sequence[bytes] = (),
    ) -> asyncio.Future[CreateResult]:
        """Store a run with its first events unless one of this id is there, in this loop turn's pipeline.

        ``request`` is kept until the run ends; it is what another owner begins from.

        The future raises:
            StoreFull: ``max_runs`` runs are kept, or the store's memory is used up.
            StoreUnavailable: no answer; the run may be stored, a second attempt tells.
        """
        return self._writer.submit_script(
            CREATE,
            (_PREFIX + run_id, _INDEX, _EXPIRIES, f"{_PREFIX}{run_id}:events"),
            *(run_id, owner, epoch, spec_digest, header, self._max_runs, _UNFINISHED_TTL_S, _PREFIX),
            *(request, *events),
            parse=self._created,
        )

    def _created(self, reply: Sequence[Any]) -> CreateResult:
        if reply[0] < 0:
            raise StoreFull(
                f"{self._max_runs} runs are kept, the bound store.max_runs; raise it or lower store.run_retention_s"
            )
        return CreateResult(reply[0] == 1, reply[1].decode(), reply[2].decode(), int(reply[3]))

    def append(
        self,
        run_id: str,
        epoch: int,
        events: Sequence[bytes],
        header: bytes | None = None,
        final: bool = False,
        num_stored: int | None = None,
        owner: str = "",
    ) -> asyncio.Future[bool]:
        """Append events and replace the header, in this loop turn's pipeline.

        ``num_stored`` is the number of events before these; with it an append may be repeated after StoreUnavailable:
        events already there are passed over, and it fails with StoreBehind where the store has lost some that it
        acknowledged: ``restore`` brings them back. The future is False where the run is gone, or belongs to another
        epoch or to another than ``owner`` (empty: whoever has this epoch).
        """
        return self._writer.submit_script(
            APPEND,
            (_PREFIX + run_id, f"{_PREFIX}{run_id}:events", _EXPIRIES),
            run_id,
            epoch,
            self._retention_ms if final else "",
            0 if header is None else 1,
            header or b"",
            -1 if num_stored is None else num_stored,
            owner,
            *events,
            parse=bool,
        )

    def restore(
        self,
        run_id: str,
        owner: str,
        epoch: int,
        spec_digest: str,
        header: bytes,
        request: bytes,
        events: Sequence[bytes],
        age_s: float,
    ) -> asyncio.Future[bool]:
        """Write an unfinished run as its owner knows it over what the store has left of it; ``age_s`` since its
        submission. The future is False where it has ended, or a later epoch or another owner of this one has it."""
        return self._writer.submit_script(
            RESTORE,
            (_PREFIX + run_id, _INDEX, _EXPIRIES, f"{_PREFIX}{run_id}:events"),
            *(run_id, owner, epoch, spec_digest, header, round(age_s * 1e6), _UNFINISHED_TTL_S),
            *(request, *events),
            parse=bool,
        )

    def take_over(self, run_id: str, owner: str, epoch: int, new_epoch: int) -> asyncio.Future[bool]:
        """Make ``owner`` with ``new_epoch`` the owner; False where the run is gone, has ended or has another epoch."""
        if new_epoch <= epoch:
            raise ValueError(f"new_epoch: must be over {epoch}, is {new_epoch}")
        return self._writer.submit_script(TAKE_OVER, (_PREFIX + run_id,), owner, epoch, new_epoch, run_id, parse=bool)

    async def owners(self) -> list[str]:
        """Everybody who owns an unfinished run, alive or not."""
        return sorted(owner.decode() for owner in await self._redis.execute_command("SMEMBERS", _OWNERS))

    async def owned(self, owner: str, count: int = _MAX_PAGE) -> list[str]:
        """Ids of at most ``count`` unfinished runs of ``owner``."""
        return [run_id.decode() for run_id in await OWNED.run(self._redis, (), owner, _PREFIX, count)]

    async def owners_of(self, run_ids: Sequence[str]) -> list[str | None]:
        """The owner of each run; None where it is gone."""
        pipeline = self._redis.pipeline(transaction=False)
        for run_id in run_ids:
            pipeline.execute_command("HGET", _PREFIX + run_id, "owner")
        return [None if owner is None else owner.decode() for owner in await pipeline.execute()]

    async def unfinished(self, run_id: str) -> Unfinished | None:
        """None where the run is gone, has ended, or was stored without its request."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.execute_command("HMGET", _PREFIX + run_id, "request", "created_us")
        pipeline.execute_command("LRANGE", f"{_PREFIX}{run_id}:events", 0, -1)
        pipeline.execute_command("TIME")
        (request, created_us), events, (seconds, micros) = await pipeline.execute()
        if not request or created_us is None:
            return None
        age_s = int(seconds) - int(created_us) * 1e-6 + int(micros) * 1e-6
        return Unfinished(request, events, max(0.0, age_s))

    async def get(self, run_id: str) -> StoredRun | None:
        """The run, or None where it never was or has expired."""
        (run,) = await self._read([run_id])
        return run

    async def events(self, run_id: str, after: int = 0) -> list[bytes]:
        """The events numbered ``after + 1`` and up."""
        events: list[bytes] = await self._redis.execute_command("LRANGE", f"{_PREFIX}{run_id}:events", after, -1)
        return events

    async def list(self, cursor: str = "", count: int = 100) -> tuple[list[StoredRun], str]:
        """A page of at most ``count`` runs, newest first, and the cursor of the next page; "" after the last.

        Raises:
            ValueError: ``cursor`` is none that this method returned, or ``count`` is not in 1..1000.
        """
        if not 1 <= count <= _MAX_PAGE:
            raise ValueError(f"count: must be in 1..{_MAX_PAGE}, is {count}")
        if cursor and not cursor.isdigit():
            raise ValueError(f"cursor: {cursor!r} is none that list returned")
        newest = f"({cursor}" if cursor else "+inf"
        page: list[Any] = await self._redis.execute_command(
            *("ZRANGE", _INDEX, newest, "-inf", "BYSCORE", "REV", "LIMIT", 0, count, "WITHSCORES")
        )
        run_ids = [run_id.decode() for run_id in page[::2]]
        runs = [run for run in await self._read(run_ids) if run is not None]
        return runs, str(int(float(page[-1]))) if len(run_ids) == count else ""

    async def _read(self, run_ids: Sequence[str]) -> Sequence[StoredRun | None]:
        if not run_ids:
            return []
        pipeline = self._redis.pipeline(transaction=False)
        for run_id in run_ids:
            pipeline.execute_command("HMGET", _PREFIX + run_id, *_FIELDS)
            pipeline.execute_command("LLEN", f"{_PREFIX}{run_id}:events")
        replies = await pipeline.execute()
        return [_stored(*item) for item in zip(run_ids, replies[::2], replies[1::2], strict=True)]


def _stored(run_id: str, fields: Sequence[bytes | None], num_events: int) -> StoredRun | None:
    values: Mapping[str, bytes | None] = dict(zip(_FIELDS, fields, strict=True))
    header, owner, epoch, digest = (values[name] for name in _FIELDS[:4])
    if header is None or owner is None or epoch is None or digest is None:
        return None
    return StoredRun(
        run_id, header, owner.decode(), int(epoch), digest.decode(), num_events, values["final"] is not None
    )
