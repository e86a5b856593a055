"""The provisioner: which worker runs, with which models. Synchronous; one owner task feeds it events."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from catenary.core.provisioner.allocator import Allocator
from catenary.core.provisioner.events import (
    AcquireRequested,
    DemandArrived,
    LoadModel,
    PrefetchEnded,
    ProcessEnded,
    ProcessStarted,
    ProfileChanged,
    ProvisionerAction,
    ProvisionerEvent,
    PublishPlan,
    ReleaseRequested,
    SnapshotArrived,
    StartWorker,
    StepEnded,
    StopRequested,
    StopWorker,
    Tick,
    WorkerServing,
)
from catenary.core.provisioner.keeper import WorkerKeeper
from catenary.core.provisioner.planning import Planning
from catenary.core.provisioner.reservations import Reservations
from catenary.core.provisioner.settings import ProvisionerSettings
from catenary.model.plan import Plan, WantedWorker
from catenary.model.sizes import gib
from catenary.model.worker import Worker

MAX_REASONS = 32
MAX_REASON_CHARS = 300


class ProvisionerCore:
    """``handle(event, now)`` returns what to do.

    Where workers are external, those that nobody configured are part of the plan while they last.
    """

    def __init__(
        self,
        wanted: Iterable[WantedWorker],
        settings: ProvisionerSettings,
        now: float,
        allocator: Allocator | None = None,
    ) -> None:
        """``allocator`` None: what the workers' configuration says stays as it is."""
        self._settings = settings
        self._planning = None if allocator is None else Planning(allocator, settings.plan_interval_s, now)
        self._keepers = {worker.worker_id: WorkerKeeper(worker, settings, now) for worker in wanted}
        self._configured = frozenset(self._keepers)
        self._reasons: deque[str] = deque(maxlen=MAX_REASONS)
        self._reservations = Reservations(self._keepers, settings.lease_s, self._is_still, self._note)
        self._revision = 0

    def plan(self, now: float) -> Plan:
        workers = tuple(self._keepers[name].planned(now) for name in sorted(self._keepers))
        return Plan(self._revision, self._settings.policy, workers, tuple(self._reasons))

    def handle(self, event: ProvisionerEvent, now: float) -> list[ProvisionerAction]:
        match event:
            case Tick():
                actions, changed = self._tick(now)
            case StopRequested():
                actions, changed = self._stop(now), True
            case AcquireRequested():
                actions, changed = self._reservations.acquire(event, now), True
            case ReleaseRequested():
                actions, changed = self._reservations.release(event.model, event.worker_id, event.holder), True
            case DemandArrived() | ProfileChanged():
                if self._planning is not None:
                    self._planning.learn(event, self._keepers, now)
                actions, changed = [], False
            case StepEnded():
                actions, changed = self._step_ended(event), bool(event.error)
            case PrefetchEnded():
                self._note(_prefetched(event))
                actions, changed = [], True
            case _:
                actions, changed = self._worker_event(event, now)
        if changed:
            self._revision += 1
            actions.append(PublishPlan(self._revision))
        return actions

    def _tick(self, now: float) -> tuple[list[ProvisionerAction], bool]:
        actions = self._reservations.end(now)
        changed = bool(actions)
        for keeper in self._keepers.values():
            before = keeper.fingerprint()
            asked = keeper.tick(now)
            actions += asked
            if asked or keeper.fingerprint() != before:
                changed = True
                self._note(_explained(keeper, asked))
        for name in [n for n, keeper in self._keepers.items() if n not in self._configured and not keeper.address]:
            del self._keepers[name]
            self._unplan(name)
        if self._planning is not None:
            begun, reasons = self._planning.tick(self._keepers, now)
            actions += begun
            changed = changed or bool(reasons)
            for reason in reasons:
                self._note(reason)
        return actions, changed

    def _step_ended(self, event: StepEnded) -> list[ProvisionerAction]:
        if self._planning is not None:
            self._planning.allocator.step_ended(event.worker_id)
        if event.error:
            self._note(f"{event.worker_id}: {event.error}")
        return []

    def _unplan(self, worker_id: str) -> None:
        """What was decided for a process that is gone does not bind the next one."""
        if self._planning is not None:
            self._planning.allocator.forget(worker_id)

    def _stop(self, now: float) -> list[ProvisionerAction]:
        self._note("all workers: stop requested")
        return [action for keeper in self._keepers.values() for action in keeper.stop(now)]

    def _worker_event(
        self, event: ProcessStarted | WorkerServing | ProcessEnded | SnapshotArrived, now: float
    ) -> tuple[list[ProvisionerAction], bool]:
        worker_id = event.worker.worker_id if isinstance(event, SnapshotArrived) else event.worker_id
        keeper = self._keepers.get(worker_id) or self._discovered(event, now)
        if keeper is None:
            return [], False
        before, phase, snapshot = keeper.fingerprint(), keeper.phase, keeper.snapshot
        match event:
            case ProcessStarted():
                keeper.started(event)
            case WorkerServing():
                keeper.serving(event, now)
            case ProcessEnded():
                keeper.ended(event, now)
                self._unplan(worker_id)
                self._note(f"{worker_id}: process {event.reason.splitlines()[0] if event.reason else 'ended'}")
            case SnapshotArrived():
                keeper.seen(event, now)
        if keeper.phase is not phase:
            self._note(f"{worker_id}: {phase} -> {keeper.phase}")
        is_new = snapshot is None and keeper.snapshot is not None
        actions = self._reservations.undo(keeper) if is_new else []
        if isinstance(event, SnapshotArrived) and self._planning is not None:
            actions += self._planning.steps(keeper, now)
        return actions, keeper.fingerprint() != before

    def _discovered(self, event: ProvisionerEvent, now: float) -> WorkerKeeper | None:
        if not isinstance(event, WorkerServing) or not self._settings.external:
            return None
        if len(self._keepers) >= self._settings.max_workers:
            return None
        keeper = WorkerKeeper(WantedWorker(event.worker_id, ()), self._settings, now)
        self._keepers[event.worker_id] = keeper
        self._note(f"{event.worker_id}: registered itself at {event.address}")
        return keeper

    def _is_still(self, worker: Worker, now: float) -> bool:
        return self._planning is None or self._planning.allocator.is_still(worker, now)

    def _note(self, reason: str) -> None:
        self._reasons.append(reason[:MAX_REASON_CHARS])


def _prefetched(event: PrefetchEnded) -> str:
    if event.error:
        return f"{event.worker_id}: {event.model} not prefetched, {event.error}"
    return f"{event.worker_id}: weights of {event.model} read, {gib(event.num_bytes)} in {event.duration_s:.1f} s"


def _explained(keeper: WorkerKeeper, actions: list[ProvisionerAction]) -> str:
    name = keeper.wanted.worker_id
    match actions:
        case [StartWorker(attempt=attempt), *_]:
            return f"{name}: start number {attempt}"
        case [StopWorker(), *_]:
            return f"{name}: stopped, {keeper.last_error}"
        case [LoadModel(model=model), *_]:
            return f"{name}: loads {model} again, {keeper.last_error}"
    return f"{name}: {keeper.last_error}"
