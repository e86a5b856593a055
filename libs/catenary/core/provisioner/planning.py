"""The plan that follows demand: when it is made anew, what it begins, and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterable

from catenary.core.provisioner.allocator import Allocator, Step
from catenary.core.provisioner.events import (
    DemandArrived,
    LoadReplica,
    PrefetchWeights,
    ProfileChanged,
    ProvisionerAction,
    SleepReplica,
    WakeReplica,
)
from catenary.core.provisioner.keeper import WorkerKeeper
from catenary.model.plan import WorkerPhase
from catenary.model.worker import Worker
from catenary.policy.provisioning.decision import MoveKind

INFEASIBLE_AFTER_S = 5.0
INFEASIBLE_MEMORY_S = 30.0


class Planning:
    """Moves models over the workers of some keepers, every ``interval_s`` seconds and when calls wait for nobody."""

    def __init__(self, allocator: Allocator, interval_s: float, now: float) -> None:
        self.allocator = allocator
        self._interval_s = interval_s
        self._due_at = now
        self._since: dict[str, float] = {}
        self._said: dict[str, float] = {}

    def tick(self, keepers: dict[str, WorkerKeeper], now: float) -> tuple[list[ProvisionerAction], list[str]]:
        """What to do, and what was decided."""
        if now < self._due_at:
            return [], []
        self._due_at = now + self._interval_s
        released = {n: k.wanted.models for n, k in keepers.items() if k.phase is WorkerPhase.RELEASED}
        actions: list[ProvisionerAction] = []
        reasons = []
        for move in self.allocator.plan(_serving(keepers), now, released):
            reasons.append(str(move))
            keeper = keepers[move.worker_id]
            if move.kind is MoveKind.RELEASE:
                actions += keeper.release(now)
            elif move.kind is MoveKind.PREFETCH:
                actions.append(PrefetchWeights(move.worker_id, keeper.address, move.after))
            elif keeper.phase is WorkerPhase.RELEASED:
                actions += keeper.want(now)
            else:
                actions += self.steps(keeper, now)
        return actions, reasons + self._news(self.allocator.last.infeasible, now)

    def learn(self, event: DemandArrived | ProfileChanged, keepers: dict[str, WorkerKeeper], now: float) -> None:
        outlook = self.allocator.outlook
        if isinstance(event, ProfileChanged):
            outlook.profiles[event.profile.model] = event.profile
            return
        outlook.take_demand(event.report, now)
        if now < self._due_at and self.allocator.starved(_serving(keepers), now):
            self._due_at = now

    def steps(self, keeper: WorkerKeeper, now: float) -> list[ProvisionerAction]:
        """The next step of a worker towards its place in the plan. A worker that starts loads its models by itself."""
        if keeper.snapshot is None or not keeper.address or keeper.phase is WorkerPhase.STARTING:
            return []
        step = self.allocator.step(keeper.snapshot, now)
        return [] if step is None else [_action(step, keeper.wanted.worker_id, keeper.address)]

    def _news(self, found: Iterable[tuple[str, str]], now: float) -> list[str]:
        """A target that stays infeasible for a while is said so once, and again only after it was in reach."""
        out_of_reach = dict(found)
        self._since = {name: self._since.get(name, now) for name in out_of_reach}
        self._said = {name: at for name, at in self._said.items() if now - at < INFEASIBLE_MEMORY_S}
        lasting = [name for name, since in self._since.items() if now - since >= INFEASIBLE_AFTER_S]
        news = [f"{name}: infeasible, {out_of_reach[name]}" for name in lasting if name not in self._said]
        self._said |= dict.fromkeys(lasting, now)
        return news


def _serving(keepers: dict[str, WorkerKeeper]) -> list[Worker]:
    """Workers that can be told something, by name."""
    ordered = sorted(keepers.items())
    return [k.snapshot for _, k in ordered if k.snapshot is not None and k.phase is not WorkerPhase.STARTING]


def _action(step: Step, worker_id: str, address: str) -> ProvisionerAction:
    match step.what:
        case "sleep":
            return SleepReplica(worker_id, address, step.model, step.generation, step.mode)
        case "wake":
            return WakeReplica(worker_id, address, step.model, step.generation)
        case _:
            return LoadReplica(worker_id, address, step.model, step.generation)
