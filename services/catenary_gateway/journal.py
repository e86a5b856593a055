"""Numbered events on their way to the store: those of one run that come together in one append."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from catenary.runtime.store.errors import StoreBehind, StoreError, StoreFull, StoreUnavailable
from catenary.runtime.store.runs import RunStore

RETRY_S = 0.25
LINGER_S = 0.01
LATER_S = 0.1


@dataclass(slots=True)
class _Pending:
    epoch: int
    events: list[bytes] = field(default_factory=list)
    num_stored: int = 0
    in_flight: bool = False
    again: bool = False
    sent_at: float = 0.0
    header: bytes | None = None
    on_final: Callable[[], None] | None = None


class RunJournal:
    """Appends in order, one append in flight per run; what fails is sent again until it is stored or fenced off.

    An event waits up to 10 ms for others of its run: a crash in between repeats a call, never a run. One that may come
    ``later`` waits up to 100 ms; the last event of a run waits for nothing.

    ``limit`` bounds the events that wait for an unreachable store, over all runs; beyond it the oldest run's events are
    given up and said so, since refusing to finish admitted work would lose more.
    """

    def __init__(
        self,
        store: RunStore,
        owner: str,
        limit: int,
        on_stored: Callable[[str, int], None],
        on_fenced: Callable[[str], None],
        restore: Callable[[str, int, int], asyncio.Future[bool]],
        on_latency: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """``on_stored`` gets a run and the number of its last stored event; ``restore`` writes a run of which the store
        has lost a part, with its epoch and the number of events that were stored; ``on_latency`` gets the seconds of an
        append."""
        self._store = store
        self._owner = owner
        self._limit = limit
        self._on_stored = on_stored
        self._on_fenced = on_fenced
        self._restore = restore
        self._on_latency = on_latency
        self._pending: dict[str, _Pending] = {}
        self._dirty: set[str] = set()
        self._later: set[str] = set()
        self._scheduled = False
        self._num_waiting = 0
        self._log = structlog.get_logger()

    def open(self, run_id: str, epoch: int, num_stored: int) -> None:
        """Begin with a run of which ``num_stored`` events are in the store."""
        self._pending[run_id] = _Pending(epoch, num_stored=num_stored)

    def append(self, run_id: str, event: bytes, *, later: bool = False) -> bool:
        """False where the run's events are stored no more: they have been given up."""
        pending = self._pending.get(run_id)
        if pending is None:
            return False
        pending.events.append(event)
        self._num_waiting += 1
        if later:
            self._mark_later(run_id)
        else:
            self._mark(run_id)
        return True

    def finish(self, run_id: str, event: bytes, header: bytes, on_stored: Callable[[], None]) -> None:
        """Append the last event with the run as it ended; ``on_stored`` is called once both are in the store."""
        pending = self._pending.get(run_id)
        if pending is None:
            on_stored()
            return
        pending.header, pending.on_final = header, on_stored
        pending.events.append(event)
        self._num_waiting += 1
        self._dirty.add(run_id)
        self._flush()

    def forget(self, run_id: str) -> None:
        """Store nothing more of the run."""
        pending = self._pending.pop(run_id, None)
        if pending is not None:
            self._num_waiting -= len(pending.events)

    async def flush(self, timeout_s: float) -> bool:
        """Wait until nothing waits for the store; False where ``timeout_s`` passed first."""
        give_up_at = asyncio.get_running_loop().time() + timeout_s
        while self._num_waiting:
            if asyncio.get_running_loop().time() >= give_up_at:
                return False
            await asyncio.sleep(LINGER_S)
        return True

    def _mark_now(self, run_id: str) -> None:
        self._dirty.add(run_id)
        asyncio.get_running_loop().call_soon(self._flush)

    def _mark(self, run_id: str) -> None:
        self._dirty.add(run_id)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_later(LINGER_S, self._flush)

    def _mark_later(self, run_id: str) -> None:
        if not self._later:
            asyncio.get_running_loop().call_later(LATER_S, self._flush_later)
        self._later.add(run_id)

    def _flush_later(self) -> None:
        self._dirty |= self._later
        self._later.clear()
        self._flush()

    def _flush(self) -> None:
        self._scheduled = False
        dirty, self._dirty = self._dirty, set()
        for run_id in dirty:
            pending = self._pending.get(run_id)
            if pending is None or not pending.events:
                continue
            if pending.in_flight:
                pending.again = True
            else:
                self._send(run_id, pending)
        if self._num_waiting > self._limit:
            self._give_up_oldest()

    def _send(self, run_id: str, pending: _Pending) -> None:
        sent = len(pending.events)
        pending.in_flight, pending.again = True, False
        pending.sent_at = asyncio.get_running_loop().time()
        final = pending.on_final is not None
        future = self._store.append(
            run_id,
            pending.epoch,
            pending.events,
            header=pending.header if final else None,
            final=final,
            num_stored=pending.num_stored,
            owner=self._owner,
        )
        future.add_done_callback(lambda done: self._sent(run_id, pending, sent, final, done))

    def _sent(self, run_id: str, pending: _Pending, sent: int, final: bool, done: asyncio.Future[bool]) -> None:
        pending.in_flight = False
        if done.cancelled() or self._pending.get(run_id) is not pending:
            return
        error = done.exception()
        if isinstance(error, StoreUnavailable | StoreFull):
            asyncio.get_running_loop().call_later(RETRY_S, self._mark, run_id)
            return
        if isinstance(error, StoreBehind):
            self._send_again_whole(run_id, pending, error)
            return
        if isinstance(error, StoreError):
            self._log.error("run not stored", run_id=run_id, error=str(error))
        elif error is not None:
            raise error
        elif not done.result():
            self.forget(run_id)
            self._on_fenced(run_id)
            return
        self._on_latency(asyncio.get_running_loop().time() - pending.sent_at)
        del pending.events[:sent]
        self._num_waiting -= sent
        pending.num_stored += sent
        self._on_stored(run_id, pending.num_stored)
        if final:
            self._end(run_id, pending)
        elif pending.on_final is not None:
            self._mark_now(run_id)
        elif pending.again:
            self._mark(run_id)

    def _send_again_whole(self, run_id: str, pending: _Pending, error: StoreBehind) -> None:
        """Bring back what the store has lost; the events that wait follow, whatever becomes of it."""
        self._log.warning("run stored again", run_id=run_id, num_events=pending.num_stored, reason=str(error))
        pending.in_flight = True

        def done(restored: asyncio.Future[bool]) -> None:
            pending.in_flight = False
            if restored.cancelled():
                return
            failed = restored.exception() is not None
            asyncio.get_running_loop().call_later(RETRY_S if failed else 0.0, self._mark_now, run_id)

        self._restore(run_id, pending.epoch, pending.num_stored).add_done_callback(done)

    def _end(self, run_id: str, pending: _Pending) -> None:
        self.forget(run_id)
        if pending.on_final is not None:
            pending.on_final()

    def _give_up_oldest(self) -> None:
        for run_id, pending in list(self._pending.items()):
            if pending.events and not pending.in_flight:
                self._log.error("run not stored", run_id=run_id, error=f"{self._limit} events wait for the store")
                self._on_stored(run_id, pending.num_stored + len(pending.events))
                self._end(run_id, pending)
            if self._num_waiting <= self._limit:
                return
