"""Which replica is set aside for whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from catenary.core.provisioner.events import AcquireRequested, Granted, ProvisionerAction, Refused, ReserveReplica
from catenary.core.provisioner.keeper import WorkerKeeper
from catenary.core.provisioner.leases import ReplicaLease, ReplicaLeases
from catenary.model.worker import Replica, ReplicaState, Worker

Candidate = tuple[str, str]
"""(worker id, address)."""


class Reservations:
    """Rule: the least busy awake replica, then by name; where none is awake, for a holder that wakes it one that sleeps
    on a worker where nothing moves and no engine holds a call, first where fewest others are awake.

    ``keepers`` by worker id; ``is_still(worker, now)``: the plan changes nothing there just now; ``note`` takes what
    was done and why.
    """

    def __init__(
        self,
        keepers: Mapping[str, WorkerKeeper],
        lease_s: float,
        is_still: Callable[[Worker, float], bool],
        note: Callable[[str], None],
    ) -> None:
        self._keepers = keepers
        self._lease_s = lease_s
        self._is_still = is_still
        self._note = note
        self._leases = ReplicaLeases()

    def acquire(self, event: AcquireRequested, now: float) -> list[ProvisionerAction]:
        held = self._leases.held_by(event.model, event.holder)
        if held is not None and not self._still_there(held):
            self._leases.remove(held)
            held = None
        if held is None:
            free = [c for c in self._candidates(event, now) if self._leases.get(event.model, c[0]) is None]
            if not free:
                return [Refused(self._why_not(event, now))]
            held = ReplicaLease(event.model, *free[0], event.holder, now)
            self._note(f"{held.worker_id}/{event.model}: set aside for {event.holder}")
        lease = ReplicaLease(held.model, held.worker_id, held.address, held.holder, now + self._lease_s)
        self._leases.put(lease)
        return [_reserve(lease, reserved=True), Granted(lease.worker_id, lease.address, self._lease_s)]

    def release(self, model: str, worker_id: str, holder: str) -> list[ProvisionerAction]:
        lease = self._leases.get(model, worker_id)
        if lease is None or lease.holder != holder:
            return []
        self._leases.remove(lease)
        self._note(f"{lease.worker_id}/{lease.model}: given back by {lease.holder}")
        return [_reserve(lease, reserved=False)]

    def end(self, now: float) -> list[ProvisionerAction]:
        """Give back what was not asked for again in time."""
        actions: list[ProvisionerAction] = []
        for lease in self._leases.take_ended(now):
            self._note(f"{lease.worker_id}/{lease.model}: {lease.holder} no longer asks for it; back to its pool")
            actions.append(_reserve(lease, reserved=False))
        return actions

    def undo(self, keeper: WorkerKeeper) -> list[ProvisionerAction]:
        """A reservation that is older than this provisioner's knowledge of the worker has no lease here."""
        worker_id = keeper.wanted.worker_id
        replicas = keeper.snapshot.replicas if keeper.snapshot else ()
        return [
            ReserveReplica(worker_id, keeper.address, replica.model, "", reserved=False)
            for replica in replicas
            if replica.reserved and self._leases.get(replica.model, worker_id) is None
        ]

    def _still_there(self, lease: ReplicaLease) -> bool:
        """The replica lives, awake or not: whoever holds it may put it to sleep."""
        keeper = self._keepers.get(lease.worker_id)
        if keeper is None or keeper.snapshot is None or keeper.address != lease.address:
            return False
        return any(r.model == lease.model and r.state is not ReplicaState.DEAD for r in keeper.snapshot.replicas)

    def _candidates(self, event: AcquireRequested, now: float) -> list[Candidate]:
        awake = self._awake(event)
        if awake or not event.may_sleep:
            return awake
        ranked = [
            (sum(other.state is ReplicaState.AWAKE for other in worker.replicas), worker.worker_id, worker.address)
            for worker in self._sleepers(event)
            if not self._hindrance(worker, now)
        ]
        return [(name, address) for _, name, address in sorted(ranked)]

    def _awake(self, event: AcquireRequested) -> list[Candidate]:
        ranked = [
            (_num_calls(replica), name, keeper.address)
            for name, keeper in self._keepers.items()
            if keeper.snapshot is not None and event.worker_id in ("", name)
            for replica in keeper.snapshot.replicas
            if replica.model == event.model and replica.state is ReplicaState.AWAKE
        ]
        return [(name, address) for _, name, address in sorted(ranked)]

    def _sleepers(self, event: AcquireRequested) -> list[Worker]:
        """Workers on which the model sleeps, by name."""
        return [
            keeper.snapshot
            for name, keeper in sorted(self._keepers.items())
            if keeper.snapshot is not None and event.worker_id in ("", name)
            for replica in keeper.snapshot.replicas
            if replica.model == event.model and replica.state is ReplicaState.ASLEEP
        ]

    def _hindrance(self, worker: Worker, now: float) -> str:
        """Why nothing can be woken there for a measurement; empty: it can."""
        for replica in worker.replicas:
            if _num_calls(replica):
                return f"{replica.model} has {_num_calls(replica)} calls"
            if replica.reserved:
                return f"{replica.model} is set aside"
            if replica.state in (ReplicaState.LOADING, ReplicaState.DRAINING):
                return f"{replica.model} is {replica.state}"
        if worker.draining:
            return "it goes away"
        return "" if self._is_still(worker, now) else "the plan moves models there"

    def _why_not(self, event: AcquireRequested, now: float) -> str:
        model = event.model
        if awake := self._awake(event):
            holders = ", ".join(sorted({lease.holder for c in awake if (lease := self._leases.get(model, c[0]))}))
            return f"model {model!r}: all {len(awake)} awake replicas are set aside, by {holders}"
        known = sorted({name for keeper in self._keepers.values() for name in keeper.wanted.models})
        if model not in known:
            return f"model {model!r}: no worker holds it; planned: {', '.join(known) or 'none'}"
        sleepers = self._sleepers(event) if event.may_sleep else []
        busy = ", ".join(f"{worker.worker_id} ({self._hindrance(worker, now)})" for worker in sleepers)
        if busy:
            return f"model {model!r}: it sleeps where nothing can be woken for it now: {busy}; ask again later"
        return f"model {model!r}: none of its replicas is awake; a call wakes one, or models.{model}.min_awake: 1"


def _num_calls(replica: Replica) -> int:
    return replica.num_running + replica.num_waiting


def _reserve(lease: ReplicaLease, reserved: bool) -> ReserveReplica:
    return ReserveReplica(lease.worker_id, lease.address, lease.model, lease.holder, reserved)
