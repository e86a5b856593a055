"""Keeps one worker alive: at most one process at a time, started again with a back-off."""

from __future__ import annotations

from dataclasses import replace

from catenary.core.provisioner.events import (
    LoadModel,
    ProcessEnded,
    ProcessStarted,
    ProvisionerAction,
    SnapshotArrived,
    StartWorker,
    StopWorker,
    WorkerServing,
)
from catenary.core.provisioner.settings import Backoff, ProvisionerSettings
from catenary.model.plan import PlannedWorker, WantedWorker, WorkerPhase
from catenary.model.worker import Replica, ReplicaState, Worker

MAX_ERROR_CHARS = 2000
_NOT_RUNNING = (WorkerPhase.BACKING_OFF, WorkerPhase.EXTERNAL, WorkerPhase.RELEASED)
_UP = (ReplicaState.AWAKE, ReplicaState.ASLEEP, ReplicaState.DRAINING)


class WorkerKeeper:
    """A worker's process from BACKING_OFF (none runs) over STARTING to READY, and over STOPPING back.

    A replica that dies on a living worker is loaded again with the same back-off.
    """

    def __init__(self, wanted: WantedWorker, settings: ProvisionerSettings, now: float) -> None:
        self.wanted = wanted
        self.address = ""
        self.snapshot: Worker | None = None
        self.last_error = ""
        self.phase = WorkerPhase.EXTERNAL if settings.external else WorkerPhase.BACKING_OFF
        self._settings = settings
        self._backoff = Backoff(settings.backoff_s, settings.max_backoff_s)
        self._attempt = 0
        self._pid = 0
        self._next_start_at = now
        self._phase_since = now
        self._seen_at = now
        self._for_good = False
        self._released = False
        self._loads: dict[str, tuple[int, float]] = {}

    def planned(self, now: float) -> PlannedWorker:
        waits = self.phase is WorkerPhase.BACKING_OFF and not self._for_good
        return PlannedWorker(
            worker_id=self.wanted.worker_id,
            models=self.wanted.models,
            phase=self.phase,
            restarts=max(0, self._attempt - 1),
            next_start_s=max(0.0, self._next_start_at - now) if waits else 0.0,
            address=self.address,
            last_error=self.last_error,
            pid=self._pid,
            snapshot=self.snapshot,
        )

    def fingerprint(self) -> tuple[object, ...]:
        """Differs where the plan differs in more than passing figures."""
        replicas = self.snapshot.replicas if self.snapshot else ()
        shown = tuple((r.model, r.state, r.generation, r.reserved, r.error) for r in replicas)
        return self.phase, self._attempt, self.address, self.last_error, self._pid, shown

    def tick(self, now: float) -> list[ProvisionerAction]:
        match self.phase:
            case WorkerPhase.BACKING_OFF:
                return self._start_if_due(now)
            case WorkerPhase.STARTING if now - self._phase_since >= self._settings.start_timeout_s:
                return self._give_up(f"not ready after {self._settings.start_timeout_s:g} s", now)
            case WorkerPhase.READY if now - self._phase_since >= self._settings.stable_s:
                self._backoff.reset()
            case WorkerPhase.STOPPING | WorkerPhase.RELEASED:
                return []
        if self.address and now - self._seen_at >= self._settings.unresponsive_s:
            return self._give_up(f"no sign of life for {self._settings.unresponsive_s:g} s", now)
        return self._load_if_due(now)

    def started(self, event: ProcessStarted) -> None:
        if event.attempt == self._attempt and self.phase is not WorkerPhase.BACKING_OFF:
            self._pid = event.pid

    def serving(self, event: WorkerServing, now: float) -> None:
        if event.attempt == self._attempt and self.phase in (WorkerPhase.STARTING, WorkerPhase.EXTERNAL):
            self.address = event.address
            self._seen_at = now

    def ended(self, event: ProcessEnded, now: float) -> None:
        if event.attempt != self._attempt or self.phase in _NOT_RUNNING:
            return
        if self.phase is not WorkerPhase.STOPPING:
            self.last_error = event.reason[:MAX_ERROR_CHARS]
        self._forget()
        if self._for_good:
            self._enter(WorkerPhase.STOPPING, now)
            return
        if self._released:
            self._enter(WorkerPhase.RELEASED, now)
            return
        self._next_start_at = now + self._backoff.fail()
        self._enter(WorkerPhase.BACKING_OFF, now)

    def seen(self, event: SnapshotArrived, now: float) -> None:
        if event.attempt != self._attempt or not self.address:
            return
        self._seen_at = now
        self.snapshot = _lean(event.worker)
        self._note_dead(now)
        if self.phase in (WorkerPhase.STARTING, WorkerPhase.READY):
            is_up = all((r := self._replica(model)) is not None and r.state in _UP for model in self.wanted.models)
            phase = WorkerPhase.READY if is_up else WorkerPhase.STARTING
            if phase is not self.phase:
                self._enter(phase, now)

    def stop(self, now: float) -> list[ProvisionerAction]:
        """End the process for good."""
        self._for_good = True
        if self.phase in (WorkerPhase.STOPPING, WorkerPhase.EXTERNAL):
            return []
        runs = self.phase not in _NOT_RUNNING
        self._enter(WorkerPhase.STOPPING, now)
        return [StopWorker(self.wanted.worker_id, self._attempt, at_once=False)] if runs else []

    def release(self, now: float) -> list[ProvisionerAction]:
        """End the process, whose calls finish first, until ``want`` is called."""
        if self.phase is not WorkerPhase.READY:
            return []
        self._released = True
        self._enter(WorkerPhase.STOPPING, now)
        return [StopWorker(self.wanted.worker_id, self._attempt, at_once=False)]

    def want(self, now: float) -> list[ProvisionerAction]:
        """Have a released worker started again."""
        self._released = False
        if self.phase is not WorkerPhase.RELEASED:
            return []
        self._next_start_at = now
        return self._start_if_due(now)

    def _start_if_due(self, now: float) -> list[ProvisionerAction]:
        if now < self._next_start_at:
            return []
        self._attempt += 1
        self._enter(WorkerPhase.STARTING, now)
        return [StartWorker(self.wanted.worker_id, self._attempt)]

    def _give_up(self, reason: str, now: float) -> list[ProvisionerAction]:
        self.last_error = reason
        if self.phase is WorkerPhase.EXTERNAL:
            self._forget()
            return []
        self._enter(WorkerPhase.STOPPING, now)
        return [StopWorker(self.wanted.worker_id, self._attempt, at_once=True)]

    def _note_dead(self, now: float) -> None:
        for model in self.wanted.models:
            replica = self._replica(model)
            if replica is None or replica.state is not ReplicaState.DEAD:
                continue
            if self._loads.get(model, (-1, 0.0))[0] != replica.generation:
                if replica.generation or replica.error:
                    self.last_error = f"{model}: {replica.error or 'the engine ended'}"[:MAX_ERROR_CHARS]
                self._loads[model] = (replica.generation, now + self._backoff.fail())

    def _load_if_due(self, now: float) -> list[ProvisionerAction]:
        actions: list[ProvisionerAction] = []
        for model, (generation, load_at) in self._loads.items():
            replica = self._replica(model)
            is_dead = replica is not None and replica.state is ReplicaState.DEAD and replica.generation == generation
            if is_dead and now >= load_at:
                actions.append(LoadModel(self.wanted.worker_id, self.address, model, generation))
                self._loads[model] = (generation, now + self._settings.max_backoff_s)
        return actions

    def _replica(self, model: str) -> Replica | None:
        replicas = self.snapshot.replicas if self.snapshot else ()
        return next((replica for replica in replicas if replica.model == model), None)

    def _enter(self, phase: WorkerPhase, now: float) -> None:
        self.phase = phase
        self._phase_since = now

    def _forget(self) -> None:
        self._pid = 0
        self.address = ""
        self.snapshot = None
        self._loads.clear()


def _lean(worker: Worker) -> Worker:
    """The calls of a replica change all the time and belong to the router's view."""
    return replace(worker, replicas=tuple(replace(replica, calls=()) for replica in worker.replicas))
