"""Provisioner cores, and what their workers tell them."""

from __future__ import annotations

from typing import Any

from catenary.core.provisioner import ProvisionerCore, ProvisionerSettings
from catenary.core.provisioner.events import (
    ProcessStarted,
    ProvisionerAction,
    PublishPlan,
    SnapshotArrived,
    Tick,
    WorkerServing,
)
from catenary.model.plan import PlannedWorker, WantedWorker
from catenary.model.worker import Replica, ReplicaState, ResidentCall, Worker

TICK_S = 0.25


def worker(
    name: str = "w0", state: ReplicaState = ReplicaState.AWAKE, generation: int = 1, reserved: bool = False
) -> Worker:
    calls = (ResidentCall("r/c", 1, 1, 3, 5, True),)
    replica = Replica("small", state, generation, 16, calls=calls, reserved=reserved, error="out of memory")
    return Worker(name, f"{name}:1", 1, (replica,))


def core_of(*names: str, **changes: Any) -> ProvisionerCore:
    wanted = [WantedWorker(name, ("small",)) for name in names]
    return ProvisionerCore(wanted, ProvisionerSettings(**changes), 0.0)


def only(core: ProvisionerCore, now: float = 0.0) -> PlannedWorker:
    (planned,) = core.plan(now).workers
    return planned


def without_plan(actions: list[ProvisionerAction]) -> list[ProvisionerAction]:
    return [action for action in actions if not isinstance(action, PublishPlan)]


def bring_up(core: ProvisionerCore, now: float, attempt: int = 1, name: str = "w0") -> None:
    core.handle(Tick(), now)
    core.handle(ProcessStarted(name, attempt, 100 + attempt), now)
    core.handle(WorkerServing(name, attempt, f"{name}:1"), now)
    core.handle(SnapshotArrived(attempt, worker(name)), now)
