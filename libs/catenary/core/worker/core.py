"""The worker: which calls it takes, what its replicas are, what its snapshots say."""

from __future__ import annotations

from collections.abc import Iterable

from catenary.core.worker.calls import CallTable, EpochGuard, HeldCall
from catenary.core.worker.engines import EngineKeeper
from catenary.core.worker.events import (
    AbortCalls,
    CallStart,
    EndedCall,
    EngineStats,
    NotStarted,
    ReplicaSettings,
    Started,
    WorkerAction,
)
from catenary.core.worker.replica import ReplicaRecord
from catenary.model.outcome import FinishReason
from catenary.model.worker import Replica, ReplicaState, Worker

Refusal = tuple[FinishReason, str]

_RUNS_PER_CALL = 4  # epochs of ended runs are remembered for this many times the bound on calls


class WorkerCore:
    """Commands on engines go to ``engines``; calls and snapshots are here. One owner calls every method.

    A call is refused with STALE_EPOCH where a newer router, owner of its run or attempt is known; REPLICA_DRAINING
    where its replica takes no calls, or is set aside for somebody else; OVERLOADED where seats and lookahead places,
    or the worker's ``max_calls``, are taken; INVALID where no engine could run it. A higher attempt or run epoch of a
    call replaces the one that is held.
    """

    def __init__(self, worker: Worker, replicas: Iterable[ReplicaSettings], max_calls: int) -> None:
        """``worker`` gives the fields of the snapshots that do not change, and the memory budgets."""
        self._worker = worker
        self._max_calls = max_calls
        self._calls = CallTable()
        self._epochs = EpochGuard(_RUNS_PER_CALL * max_calls)
        self._sequence = 0
        self.engines = EngineKeeper(replicas, self._calls, worker.memory_budget_bytes, worker.host_budget_bytes)

    @property
    def num_calls(self) -> int:
        return len(self._calls)

    @property
    def draining(self) -> bool:
        return self.engines.draining

    def start_call(self, start: CallStart) -> Started | NotStarted:
        record = self.engines.records.get(start.model)
        if record is None:
            known = ", ".join(sorted(self.engines.records))
            return NotStarted(FinishReason.INVALID, f"model {start.model!r} is not on this worker; it has {known}")
        stale = self._stale(start, record)
        if stale is not None:
            return stale
        self.watched(start.router_epoch)
        aborts = self._supersede(start)
        refusal = self._closed(start, record) or self._invalid(start, record) or self._overloaded(start, record)
        if refusal is not None:
            return NotStarted(*refusal, aborts)
        return Started(self._calls.add(start).handle, aborts)

    def abort_call(self, call_id: str, attempt: int, run_epoch: int) -> list[WorkerAction]:
        """Abort attempts up to ``attempt``; nothing where the sender's run epoch is lower than the call's."""
        call = self._calls.find(call_id)
        if call is None or call.start.attempt > attempt or call.start.run_epoch > run_epoch:
            return []
        return self._abort([call], FinishReason.ABORTED, "aborted on request")

    def stream_left(self, stream_id: int, error: str) -> list[WorkerAction]:
        """Nobody hears of the stream's calls any more."""
        return self._abort([c for c in self._calls if c.start.stream_id == stream_id], FinishReason.ABORTED, error)

    def abort_all(self, error: str) -> list[WorkerAction]:
        return self._abort(list(self._calls), FinishReason.ABORTED, error)

    def drop_lost(self, now: float) -> list[WorkerAction]:
        """Abort calls that still wait in their engine after the moment from which a start is of no use."""
        lost = [call for call in self._calls if not call.running and (call.start.lost_after or now) < now]
        return self._abort(lost, FinishReason.ABORTED, "still waiting in the engine when it could no longer be in time")

    def watched(self, router_epoch: int) -> None:
        """A router of this epoch exists; calls of lower ones are refused from now on."""
        self._epochs.router = max(self._epochs.router, router_epoch)

    def call_running(self, handle: int) -> None:
        if (call := self._calls.get(handle)) is not None:
            call.running = True

    def call_tokens(self, handle: int, num_tokens: int) -> None:
        """``num_tokens`` more tokens have been generated."""
        if (call := self._calls.get(handle)) is not None:
            call.running = True
            call.output_tokens += num_tokens

    def call_ended(
        self, handle: int, reason: FinishReason, error: str, now: float
    ) -> tuple[EndedCall | None, list[WorkerAction]]:
        """The engine has let a call go. The end that was decided on here stands above the engine's."""
        call = self._calls.remove(handle)
        if call is None:
            return None, []
        if call.ending is not None:
            reason, error = call.ending, call.error
        return EndedCall(call.start, reason, error), self.engines.call_left(call.start.model, now)

    def set_stats(self, model: str, stats: EngineStats) -> None:
        self.engines.records[model].stats = stats

    def replica(self, model: str, now: float) -> Replica:
        calls = tuple([call.resident() for call in self._calls.of_model(model) if call.ending is None])
        return self.engines.records[model].snapshot(calls, now)

    def snapshot(self, memory_free_bytes: int, now: float) -> Worker:
        self._sequence += 1
        fixed = self._worker
        return Worker(
            worker_id=fixed.worker_id,
            address=fixed.address,
            incarnation=fixed.incarnation,
            replicas=tuple(self.replica(model, now) for model in self.engines.records),
            accelerator=fixed.accelerator,
            draining=self.engines.draining,
            memory_total_bytes=fixed.memory_total_bytes,
            memory_free_bytes=memory_free_bytes,
            num_accelerators=fixed.num_accelerators,
            sequence=self._sequence,
            memory_budget_bytes=fixed.memory_budget_bytes,
            host_budget_bytes=fixed.host_budget_bytes,
        )

    def _stale(self, start: CallStart, record: ReplicaRecord) -> NotStarted | None:
        """Whoever holds a reserved replica speaks for itself, not for a router."""
        known = self._epochs.router
        if start.router_epoch < known and record.holder != start.gateway_id:
            return NotStarted(FinishReason.STALE_EPOCH, f"router epoch {start.router_epoch} is over; {known} is known")
        run = self._epochs.run(start.run_id)
        if start.run_epoch < run:
            return NotStarted(FinishReason.STALE_EPOCH, f"run epoch {start.run_epoch} is over; {run} is known")
        held = self._calls.find(start.call_id)
        if held is not None and _age(start) <= _age(held.start):
            error = f"attempt {start.attempt} is not newer than attempt {held.start.attempt}, which is held"
            return NotStarted(FinishReason.STALE_EPOCH, error)
        return None

    def _closed(self, start: CallStart, record: ReplicaRecord) -> Refusal | None:
        if self.engines.draining:
            return (FinishReason.REPLICA_DRAINING, "the worker is going away")
        if record.state is not ReplicaState.AWAKE:
            return (FinishReason.REPLICA_DRAINING, f"the replica of {start.model!r} is {record.state}")
        if record.holder and record.holder != start.gateway_id:
            return (FinishReason.REPLICA_DRAINING, f"the replica is set aside for {record.holder!r}")
        return None

    def _invalid(self, start: CallStart, record: ReplicaRecord) -> Refusal | None:
        if start.prompt_tokens < 1:
            return (FinishReason.INVALID, "the prompt has no tokens")
        bound = record.max_model_len
        if start.prompt_tokens >= bound:
            error = (
                f"the prompt has {start.prompt_tokens} tokens; {start.model!r} takes {bound}, one of output included"
            )
            return (FinishReason.INVALID, error)
        capacity = record.facts.kv_capacity_tokens
        if capacity and start.prompt_tokens >= capacity:
            error = f"the prompt has {start.prompt_tokens} tokens; the KV cache of {start.model!r} holds {capacity}"
            return (FinishReason.INVALID, error)
        return None

    def _overloaded(self, start: CallStart, record: ReplicaRecord) -> Refusal | None:
        settings = record.settings
        places = settings.max_num_seqs + settings.lookahead
        if self._calls.num_listed(start.model) >= places:
            error = (
                f"{settings.max_num_seqs} seats and {settings.lookahead} lookahead places of {start.model!r} are taken"
            )
            return (FinishReason.OVERLOADED, error)
        if len(self._calls) >= self._max_calls:
            return (FinishReason.OVERLOADED, f"the worker holds max_calls = {self._max_calls} calls")
        return None

    def _supersede(self, start: CallStart) -> tuple[int, ...]:
        """Mark what ``start`` replaces: calls of its run's former owners and its own older attempt."""
        older: list[HeldCall] = []
        if self._epochs.note_run(start.run_id, start.run_epoch):
            older = [c for c in self._calls if c.start.run_id == start.run_id and c.start.run_epoch < start.run_epoch]
        held = self._calls.find(start.call_id)
        if held is not None and held not in older:
            older.append(held)
        error = f"replaced by attempt {start.attempt} of run epoch {start.run_epoch}"
        return tuple(call.handle for call in older if self._calls.end(call, FinishReason.STALE_EPOCH, error))

    def _abort(self, calls: Iterable[HeldCall], reason: FinishReason, error: str) -> list[WorkerAction]:
        handles = tuple(call.handle for call in calls if self._calls.end(call, reason, error))
        return [AbortCalls(handles)] if handles else []


def _age(start: CallStart) -> tuple[int, int]:
    return start.run_epoch, start.attempt
