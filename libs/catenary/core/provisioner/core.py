"""The provisioner: which worker runs, with which models. Synchronous; one owner task feeds it events."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from catenary.core.provisioner.allocator import Allocator
from catenary.core.provisioner.events import (
    AcquireRequested,
    DemandArrived,
    Granted,
    LoadModel,
    PrefetchEnded,
    ProcessEnded,
    ProcessStarted,
    ProfileChanged,
    ProvisionerAction,
    ProvisionerEvent,
    PublishPlan,
    Refused,
    ReleaseRequested,
    ReserveReplica,
    SnapshotArrived,
    StartWorker,
    StepEnded,
    StopRequested,
    StopWorker,
    Tick,
    WorkerServing,
)
from catenary.core.provisioner.keeper import WorkerKeeper
from catenary.core.provisioner.leases import ReplicaLease, ReplicaLeases
from catenary.core.provisioner.planning import Planning
from catenary.core.provisioner.settings import ProvisionerSettings
from catenary.model.plan import Plan, WantedWorker
from catenary.model.sizes import gib
from catenary.model.worker import ReplicaState

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
        self._leases = ReplicaLeases()
        self._reasons: deque[str] = deque(maxlen=MAX_REASONS)
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
                actions, changed = self._acquire(event, now), True
            case ReleaseRequested():
                actions, changed = self._release(event), True
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
        actions: list[ProvisionerAction] = []
        for lease in self._leases.take_ended(now):
            self._note(f"{lease.worker_id}/{lease.model}: {lease.holder} no longer asks for it; back to its pool")
            actions.append(_reserve(lease, reserved=False))
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
        actions = self._undo_reservations(keeper) if is_new else []
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

    def _undo_reservations(self, keeper: WorkerKeeper) -> list[ProvisionerAction]:
        """A reservation that is older than this provisioner's knowledge of the worker has no lease here."""
        worker_id = keeper.wanted.worker_id
        replicas = keeper.snapshot.replicas if keeper.snapshot else ()
        return [
            ReserveReplica(worker_id, keeper.address, replica.model, "", reserved=False)
            for replica in replicas
            if replica.reserved and self._leases.get(replica.model, worker_id) is None
        ]

    def _acquire(self, event: AcquireRequested, now: float) -> list[ProvisionerAction]:
        held = self._leases.held_by(event.model, event.holder)
        candidates = [c for c in self._candidates(event.model) if event.worker_id in ("", c[0])]
        if held is not None and not self._still_there(held):
            self._leases.remove(held)
            held = None
        if held is None:
            free = [c for c in candidates if self._leases.get(event.model, c[0]) is None]
            if not free:
                return [Refused(self._why_not(event.model, candidates))]
            held = ReplicaLease(event.model, *free[0], event.holder, now)
            self._note(f"{held.worker_id}/{event.model}: set aside for {event.holder}")
        lease = ReplicaLease(held.model, held.worker_id, held.address, held.holder, now + self._settings.lease_s)
        self._leases.put(lease)
        return [_reserve(lease, reserved=True), Granted(lease.worker_id, lease.address, self._settings.lease_s)]

    def _still_there(self, lease: ReplicaLease) -> bool:
        """The replica lives, awake or not: whoever holds it may put it to sleep."""
        keeper = self._keepers.get(lease.worker_id)
        if keeper is None or keeper.snapshot is None or keeper.address != lease.address:
            return False
        return any(r.model == lease.model and r.state is not ReplicaState.DEAD for r in keeper.snapshot.replicas)

    def _candidates(self, model: str) -> list[tuple[str, str]]:
        """(worker id, address) of awake replicas, the least busy first, then by name."""
        ranked = [
            (replica.num_running + replica.num_waiting, name, keeper.address)
            for name, keeper in self._keepers.items()
            if keeper.snapshot is not None
            for replica in keeper.snapshot.replicas
            if replica.model == model and replica.state is ReplicaState.AWAKE
        ]
        return [(name, address) for _, name, address in sorted(ranked)]

    def _why_not(self, model: str, candidates: list[tuple[str, str]]) -> str:
        if candidates:
            holders = ", ".join(sorted({lease.holder for c in candidates if (lease := self._leases.get(model, c[0]))}))
            return f"model {model!r}: all {len(candidates)} awake replicas are set aside, by {holders}"
        known = sorted({name for keeper in self._keepers.values() for name in keeper.wanted.models})
        if model not in known:
            return f"model {model!r}: no worker holds it; planned: {', '.join(known) or 'none'}"
        return f"model {model!r}: none of its replicas is awake; a call wakes one, or models.{model}.min_awake: 1"

    def _release(self, event: ReleaseRequested) -> list[ProvisionerAction]:
        lease = self._leases.get(event.model, event.worker_id)
        if lease is None or lease.holder != event.holder:
            return []
        self._leases.remove(lease)
        self._note(f"{lease.worker_id}/{lease.model}: given back by {lease.holder}")
        return [_reserve(lease, reserved=False)]

    def _note(self, reason: str) -> None:
        self._reasons.append(reason[:MAX_REASON_CHARS])


def _prefetched(event: PrefetchEnded) -> str:
    if event.error:
        return f"{event.worker_id}: {event.model} not prefetched, {event.error}"
    return f"{event.worker_id}: weights of {event.model} read, {gib(event.num_bytes)} in {event.duration_s:.1f} s"


def _reserve(lease: ReplicaLease, reserved: bool) -> ReserveReplica:
    return ReserveReplica(lease.worker_id, lease.address, lease.model, lease.holder, reserved)


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
