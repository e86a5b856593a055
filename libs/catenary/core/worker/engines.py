"""What is done to the engines of a worker: load, sleep, wake, unload, drain, one at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from catenary.core.worker.events import (
    AbortCalls,
    CommandDone,
    Drained,
    EngineFacts,
    ReplicaSettings,
    SleepEngine,
    SnapshotChanged,
    StartEngine,
    StopEngine,
    WakeEngine,
    WorkerAction,
)
from catenary.core.worker.memory import host_shortage, too_large
from catenary.core.worker.replica import Job, JobKind, JobQueue, ReplicaRecord
from catenary.model.outcome import FinishReason
from catenary.model.sizes import gib
from catenary.model.worker import DROPPED, IN_HOST, ReplicaState, SleepMode


class EngineCalls(Protocol):
    """The calls in a worker's engines."""

    def __len__(self) -> int: ...

    def num_held(self, model: str) -> int:
        """Calls in the model's engine, those being aborted included."""
        ...

    def end_all(self, model: str, reason: FinishReason, error: str) -> tuple[int, ...]:
        """Mark every call of the model's engine as being aborted; their handles, without those that already are."""
        ...


class EngineKeeper:
    """The replicas' states. Each method takes one event and returns what to do."""

    def __init__(
        self, replicas: Iterable[ReplicaSettings], calls: EngineCalls, budget_bytes: int = 0, host_bytes: int = 0
    ) -> None:
        """``budget_bytes``: what engines that are awake may take of the accelerator together; ``host_bytes``: what the
        weights of sleeping ones may take of the host's memory; 0: not bounded here."""
        self.budget_bytes = budget_bytes
        self.host_bytes = host_bytes
        self.records = {settings.model: ReplicaRecord(settings) for settings in replicas}
        self.draining = False
        self._calls = calls
        self._jobs = JobQueue()

    def load(
        self, command_id: int, model: str, generation: int, free_bytes: int, total_bytes: int, now: float
    ) -> list[WorkerAction]:
        record = self._find(model, generation)
        if isinstance(record, str):
            return [CommandDone(command_id, record)]
        if record.state is not ReplicaState.DEAD:
            return [CommandDone(command_id, "")]
        if self.draining:
            return [CommandDone(command_id, f"model {model!r}: the worker is going away and loads nothing")]
        needed = record.settings.needed_bytes
        if needed and free_bytes and needed > free_bytes:
            error = f"model {model!r} needs {gib(needed)}; {gib(free_bytes)} of {gib(total_bytes)} are free"
            record.change(ReplicaState.DEAD, error)
            return [CommandDone(command_id, error), SnapshotChanged()]
        record.change(ReplicaState.LOADING)
        self._jobs.put(Job(JobKind.START, model, command_id))
        return [CommandDone(command_id, ""), SnapshotChanged(), *self._pump(now)]

    def sleep(
        self, command_id: int, model: str, generation: int, level: int, mode: SleepMode, now: float
    ) -> list[WorkerAction]:
        """``level`` 0: with the weights in host memory where they fit, else dropped. Calls cannot be frozen without
        them and go on elsewhere."""
        record = self._find(model, generation)
        if isinstance(record, str):
            return [CommandDone(command_id, record)]
        if record.state is ReplicaState.ASLEEP:
            return [CommandDone(command_id, "")]
        if record.state is not ReplicaState.AWAKE:
            return [
                CommandDone(command_id, f"model {model!r} is {record.state}; only an AWAKE one can be put to sleep")
            ]
        shortage = host_shortage(record, self.records.values(), self.host_bytes)
        if shortage and level == IN_HOST:
            return [CommandDone(command_id, shortage)]
        if shortage and not level and mode is SleepMode.FREEZE:
            mode = SleepMode.REPLAY
        record.change(ReplicaState.DRAINING)
        record.sleep_level = level or (DROPPED if shortage else IN_HOST)
        job = Job(JobKind.SLEEP, model, command_id, record.sleep_level, mode is SleepMode.FREEZE)
        actions: list[WorkerAction] = [SnapshotChanged()]
        if mode is SleepMode.FREEZE:
            self._jobs.put(job)
        else:
            record.after_drain = job
        if mode is SleepMode.REPLAY:
            actions += self._abort_all(
                model, "the replica is put to sleep; the call goes on elsewhere", FinishReason.REPLICA_DRAINING
            )
        return actions + self.call_left(model, now)

    def wake(self, command_id: int, model: str, generation: int, now: float) -> list[WorkerAction]:
        record = self._find(model, generation)
        if isinstance(record, str):
            return [CommandDone(command_id, record)]
        if record.state is ReplicaState.AWAKE:
            return [CommandDone(command_id, "")]
        pending = record.after_drain
        if record.state is ReplicaState.DRAINING and pending is not None and pending.kind is JobKind.SLEEP:
            record.after_drain = None
            record.change(ReplicaState.AWAKE)
            cancelled = CommandDone(pending.command_id, f"model {model!r} was woken before it slept")
            return [cancelled, CommandDone(command_id, ""), SnapshotChanged()]
        if record.state is not ReplicaState.ASLEEP:
            return [CommandDone(command_id, f"model {model!r} is {record.state}; only an ASLEEP one can be woken")]
        refusal = too_large(record, self.records.values(), self._jobs, self.budget_bytes)
        if refusal:
            return [CommandDone(command_id, refusal)]
        self._jobs.put(Job(JobKind.WAKE, model, command_id))
        return self._pump(now)

    def unload(self, command_id: int, model: str, generation: int, now: float) -> list[WorkerAction]:
        record = self._find(model, generation)
        if isinstance(record, str):
            return [CommandDone(command_id, record)]
        job = Job(JobKind.STOP, model, command_id)
        match record.state:
            case ReplicaState.DEAD:
                return [CommandDone(command_id, "")]
            case ReplicaState.DRAINING:
                return [CommandDone(command_id, f"model {model!r} is DRAINING; ask again when it has drained")]
            case ReplicaState.AWAKE:
                record.change(ReplicaState.DRAINING)
                record.after_drain = job
                return [SnapshotChanged(), *self.call_left(model, now)]
            case _:
                self._jobs.put(job)
                return [*self._abort_all(model, "the replica is unloaded"), *self._pump(now)]

    def reserve(self, command_id: int, model: str, reserved: bool, holder: str) -> list[WorkerAction]:
        """Set a replica aside for ``holder`` or give it back; an empty holder gives it back whoever holds it."""
        record = self._find(model, 0)
        if isinstance(record, str):
            return [CommandDone(command_id, record)]
        if reserved and not holder:
            return [CommandDone(command_id, f"model {model!r}: holder is empty; name who sets the replica aside")]
        if record.holder and holder and record.holder != holder:
            return [CommandDone(command_id, f"model {model!r} is set aside for {record.holder!r}, not for {holder!r}")]
        record.holder = holder if reserved else ""
        return [CommandDone(command_id, ""), SnapshotChanged()]

    def drain(self, now: float) -> list[WorkerAction]:
        """Take no new calls from now on; calls that sleep cannot finish and are aborted."""
        if self.draining:
            return []
        self.draining = True
        actions: list[WorkerAction] = [SnapshotChanged()]
        for model, record in self.records.items():
            if record.state is ReplicaState.AWAKE:
                record.change(ReplicaState.DRAINING)
            elif record.state is ReplicaState.ASLEEP:
                actions += self._abort_all(model, "the worker is going away")
        return actions + ([] if self._calls else [Drained()])

    def engine_ready(self, model: str, facts: EngineFacts, now: float) -> list[WorkerAction]:
        record = self.records[model]
        self._jobs.finish(JobKind.START, model)
        record.facts = facts
        record.start_s = now - record.started_at if record.started_at is not None else 0.0
        record.weights_cold = False
        record.change(ReplicaState.DRAINING if self.draining else ReplicaState.AWAKE)
        return [SnapshotChanged(), *self._pump(now)]

    def engine_failed(self, model: str, error: str, now: float) -> list[WorkerAction]:
        """The engine ended by itself, or could not start."""
        record = self.records[model]
        record.change(ReplicaState.DEAD, error or "the engine ended")
        actions: list[WorkerAction] = [SnapshotChanged()]
        jobs = [self._jobs.finish(kind, model) for kind in JobKind] + [record.after_drain]
        record.after_drain = None
        actions += [
            CommandDone(job.command_id, "" if job.kind is JobKind.STOP else record.error)
            for job in jobs
            if job is not None and job.kind is not JobKind.START
        ]
        return actions + self._pump(now)

    def engine_slept(self, model: str, error: str, now: float) -> list[WorkerAction]:
        """Empty ``error``: it sleeps; otherwise it is as it was before."""
        return self._job_done(JobKind.SLEEP, model, ReplicaState.AWAKE if error else ReplicaState.ASLEEP, error, now)

    def engine_woke(self, model: str, error: str, now: float) -> list[WorkerAction]:
        """Empty ``error``: it is awake; otherwise it still sleeps."""
        if not error:
            self.records[model].weights_cold = False
        return self._job_done(JobKind.WAKE, model, ReplicaState.ASLEEP if error else ReplicaState.AWAKE, error, now)

    def found_weights(self, model: str, cold: bool) -> list[WorkerAction]:
        """Whether the weights are in the host's page cache now. What an engine holds or reads just now is not asked."""
        record = self.records[model]
        if not record.needs_weights or record.weights_cold is cold:
            return []
        record.weights_cold = cold
        return [SnapshotChanged()]

    def engine_stopped(self, model: str, now: float) -> list[WorkerAction]:
        self.records[model].facts = EngineFacts()
        return self._job_done(JobKind.STOP, model, ReplicaState.DEAD, "", now)

    def call_left(self, model: str, now: float) -> list[WorkerAction]:
        """Begin what waited for the last call of ``model``."""
        record = self.records[model]
        if record.after_drain is not None and not self._calls.num_held(model):
            self._jobs.put(record.after_drain)
            record.after_drain = None
        actions = self._pump(now)
        if self.draining and not self._calls:
            actions.append(Drained())
        return actions

    def _job_done(self, kind: JobKind, model: str, state: ReplicaState, error: str, now: float) -> list[WorkerAction]:
        job = self._jobs.finish(kind, model)
        if job is None:
            return []
        self.records[model].change(ReplicaState.DRAINING if self.draining and state is ReplicaState.AWAKE else state)
        return [CommandDone(job.command_id, error), SnapshotChanged(), *self._pump(now)]

    def _pump(self, now: float) -> list[WorkerAction]:
        actions: list[WorkerAction] = []
        while (job := self._jobs.next()) is not None:
            record = self.records[job.model]
            is_dead = record.state is ReplicaState.DEAD
            match job.kind:
                case JobKind.START:
                    record.started_at = now
                    actions.append(StartEngine(job.model))
                case _ if is_dead:
                    self._jobs.finish(job.kind, job.model)
                    error = "" if job.kind is JobKind.STOP else f"model {job.model!r} is DEAD: {record.error}"
                    actions.append(CommandDone(job.command_id, error))
                case JobKind.SLEEP:
                    actions.append(SleepEngine(job.model, job.level, job.freeze))
                case JobKind.WAKE:
                    record.wakes_at = now + record.wake_s
                    actions += [WakeEngine(job.model), SnapshotChanged()]
                case JobKind.STOP:
                    record.change(ReplicaState.DRAINING)
                    actions += [SnapshotChanged(), StopEngine(job.model)]
        return actions

    def _abort_all(self, model: str, error: str, reason: FinishReason = FinishReason.ABORTED) -> list[WorkerAction]:
        handles = self._calls.end_all(model, reason, error)
        return [AbortCalls(handles)] if handles else []

    def _find(self, model: str, generation: int) -> ReplicaRecord | str:
        """The replica, or why a command that expects ``generation`` (0: any) does not fit it."""
        record = self.records.get(model)
        if record is None:
            return f"model {model!r} is not configured on this worker; it has {', '.join(sorted(self.records))}"
        if generation and generation != record.generation:
            return f"model {model!r} is at generation {record.generation} ({record.state}), not {generation}"
        return record
