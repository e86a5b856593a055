"""Which model is to be awake on each worker's accelerators, and the steps that lead there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from catenary.core.provisioner.outlook import Outlook
from catenary.core.provisioner.steady import Steadiness
from catenary.model.worker import DROPPED, Replica, ReplicaState, SleepMode, Worker
from catenary.policy.provisioning import Planner
from catenary.policy.provisioning.context import Accelerator, PlanContext, PlanSettings
from catenary.policy.provisioning.decision import Move, MoveKind, PlanDecision
from catenary.policy.provisioning.parting import rehomed

ALMOST_S = 0.05
COMMAND_TIMEOUT_S = 120.0
FETCH_AGAIN_S = 60.0
"""Weights that are cold though they were read so lately do not stay in the page cache: it is too small."""
IN_ENGINE = (ReplicaState.AWAKE, ReplicaState.DRAINING, ReplicaState.LOADING)


@dataclass(frozen=True, slots=True)
class Step:
    """One command for a worker: "sleep", "wake" or "load" of ``model``, whose replica is at ``generation``."""

    what: str
    model: str
    generation: int
    mode: SleepMode = SleepMode.DRAIN


@dataclass(slots=True)
class _Place:
    """One worker. ``targets``: the models to be awake, None where nothing was decided yet; ``ready_at``: when.
    ``fetched_at``: when reading a model's weights was begun."""

    targets: tuple[str, ...] | None = None
    ready_at: dict[str, float] = field(default_factory=dict)
    moved_at: float = -1e9
    idle_since: float | None = None
    step_since: float | None = None
    mode: SleepMode = SleepMode.DRAIN
    fetched_at: dict[str, float] = field(default_factory=dict)

    def take(self, move: Move, now: float) -> None:
        if move.kind is MoveKind.PREFETCH:
            self.fetched_at[move.after] = now
            return
        kept = tuple(model for model in self.targets or () if model != move.before)
        self.targets = kept
        self.ready_at = {model: at for model, at in self.ready_at.items() if model in kept}
        if move.after:
            self.targets = (*kept, move.after)
            self.ready_at[move.after] = now + move.takes_s
        self.mode = move.mode


class Allocator:
    """Keeps a target per worker and turns moves into steps, one at a time per worker.

    The steps follow from what the worker shows, so that a lost command or a restarted provisioner changes nothing.
    """

    def __init__(self, planner: Planner, settings: PlanSettings, outlook: Outlook) -> None:
        self.outlook = outlook
        self.last = PlanDecision()
        self.num_switches = 0
        self._planner = planner
        self._settings = settings
        self._steady = Steadiness(settings.hysteresis_s)
        self._places: dict[str, _Place] = {}
        self._switched: dict[tuple[str, str], float] = {}

    def plan(
        self, workers: Iterable[Worker], now: float, released: Mapping[str, Sequence[str]] | None = None
    ) -> list[Move]:
        """Decide anew. Returns the moves that are begun. ``released``: by worker without a process, its models."""
        present = [self._accelerator(worker, now) for worker in workers]
        absent = [
            Accelerator(name, startable=tuple(models))
            for name, models in (released or {}).items()
            if not (place := self._places.get(name)) or not place.targets
        ]
        accelerators = (*present, *absent)
        barred = frozenset((y, x) for (x, y), at in self._switched.items() if now - at < self._settings.dwell_s)
        context = PlanContext(
            accelerators, self.outlook.pools(now), self.outlook.workflows(now), barred, self._settings
        )
        self.last = self._planner(context)
        begun = rehomed(context, self._steady.passed(self.last.moves, now))
        moved = {move.worker_id for move in begun if move.kind is not MoveKind.PREFETCH}
        begun += [move for move in self._releases(present) if move.worker_id not in moved]
        for move in begun:
            place = self._places.setdefault(move.worker_id, _Place())
            place.take(move, now)
            if move.kind is MoveKind.SWITCH:
                place.moved_at = self._switched[move.before, move.after] = now
                self.num_switches += 1
        return begun

    def _releases(self, accelerators: Sequence[Accelerator]) -> Iterable[Move]:
        """Accelerators on which nothing has been awake for long and no call is frozen, as far as enough replicas stay
        loaded."""
        after_s = self._settings.idle_release_s
        if after_s <= 0:
            return
        loaded = Counter(model for a in accelerators for model in (*a.asleep, a.awake, *a.beside))
        for accelerator in accelerators:
            if accelerator.awake or accelerator.frozen or accelerator.idle_s < after_s or not accelerator.movable:
                continue
            bounds = self.outlook.bounds
            if any(loaded[m] <= bounds[m].keep_warm for m in accelerator.asleep if m in bounds and bounds[m].keep_warm):
                continue
            loaded.subtract(accelerator.asleep)
            reason = f"nothing awake for {accelerator.idle_s:.0f} s"
            yield Move(MoveKind.RELEASE, accelerator.worker_id, reason=reason)

    def starved(self, workers: Iterable[Worker], now: float) -> bool:
        """Calls wait for a model that is neither awake nor on its way."""
        awake = {model for worker in workers for model, _ in self._accelerator(worker, now).engines}
        return any(
            model not in awake and (pool.num_queued or any(ready_in_s <= 0 for ready_in_s, _ in pool.waves))
            for model, pool in self.outlook.pools(now).items()
        )

    def step(self, worker: Worker, now: float) -> Step | None:
        """What to do next on the worker on its way to its target; None while it does something, or is there."""
        place = self._place(worker)
        if place.targets is None or worker.draining or any(replica.reserved for replica in worker.replicas):
            return None
        if place.step_since is not None and now - place.step_since < COMMAND_TIMEOUT_S:
            return None
        step = _next_step(worker.replicas, place.targets, place.mode)
        place.step_since = now if step is not None else None
        return step

    def is_still(self, worker: Worker, now: float) -> bool:
        """The worker is as the plan wants it, and nothing is under way there."""
        return self._accelerator(worker, now).movable

    def step_ended(self, worker_id: str) -> None:
        """The worker has answered the last step, whatever it said."""
        if (place := self._places.get(worker_id)) is not None:
            place.step_since = None

    def forget(self, worker_id: str) -> None:
        self._places.pop(worker_id, None)

    def waking(self, workers: Iterable[Worker], now: float) -> Mapping[str, float]:
        """By model, seconds until the first replica on its way takes calls."""
        found: dict[str, float] = {}
        for worker in workers:
            for model, ready_in_s in self._accelerator(worker, now).engines:
                if ready_in_s > 0:
                    found[model] = min(found.get(model, ready_in_s), ready_in_s)
        return found

    def _place(self, worker: Worker) -> _Place:
        place = self._places.get(worker.worker_id)
        if place is None:
            place = self._places[worker.worker_id] = _Place()
        if place.targets is None:
            awake = [replica.model for replica in worker.replicas if replica.state is ReplicaState.AWAKE]
            if not any(_comes_up(replica) for replica in worker.replicas):
                place.targets = tuple(awake[: self._settings.awake_together])
        return place

    def _accelerator(self, worker: Worker, now: float) -> Accelerator:
        place = self._place(worker)
        replicas = worker.replicas
        targets = place.targets or ()
        there = {r.model for r in replicas if r.model in targets and r.state is ReplicaState.AWAKE}
        others = any(r.model not in targets and r.state in IN_ENGINE for r in replicas)
        settled = not others and len(there) == len(targets)
        engines = {
            model: 0.0 if model in there else max(ALMOST_S, place.ready_at.get(model, 0.0) - now) for model in targets
        }
        awake = targets[0] if targets else ""
        if targets:
            place.idle_since = None
        elif place.idle_since is None:
            place.idle_since = now
        return Accelerator(
            worker_id=worker.worker_id,
            awake=awake,
            ready_in_s=engines.pop(awake, ALMOST_S),
            asleep=tuple(r.model for r in replicas if r.state is ReplicaState.ASLEEP and r.model not in targets),
            startable=tuple(r.model for r in replicas if r.state is ReplicaState.DEAD and r.model not in targets),
            frozen={r.model: calls for r in replicas if r.state is ReplicaState.ASLEEP and (calls := _num_calls(r))},
            num_calls=sum(_num_calls(r) for r in replicas if r.state is not ReplicaState.ASLEEP),
            movable=settled and place.step_since is None and not any(r.reserved for r in replicas),
            still_s=now - place.moved_at,
            idle_s=0.0 if place.idle_since is None else now - place.idle_since,
            size=worker.num_accelerators,
            beside=engines,
            memory_bytes=worker.memory_budget_bytes,
            needs={r.model: r.awake_bytes for r in replicas},
            dropped=frozenset(r.model for r in replicas if r.sleep_level == DROPPED),
            cold=frozenset(r.model for r in replicas if r.weights_cold),
            fetched=frozenset(model for model, at in place.fetched_at.items() if now - at < FETCH_AGAIN_S),
        )


def _num_calls(replica: Replica) -> int:
    return replica.num_running + replica.num_waiting


def _comes_up(replica: Replica) -> bool:
    """It loads, or nothing has been tried with it yet: the worker is still busy with what it starts with."""
    return replica.state is ReplicaState.LOADING or (replica.state is ReplicaState.DEAD and not replica.error)


def _next_step(replicas: Iterable[Replica], targets: Sequence[str], mode: SleepMode) -> Step | None:
    """Others go to sleep first; then a target wakes, or is loaded where no engine of it is."""
    replicas = tuple(replicas)
    for replica in replicas:
        if replica.model not in targets and replica.state is ReplicaState.AWAKE:
            return Step("sleep", replica.model, replica.generation, mode)
    if any(replica.state in (ReplicaState.DRAINING, ReplicaState.LOADING) for replica in replicas):
        return None
    for replica in replicas:
        if replica.model in targets and replica.state is ReplicaState.ASLEEP:
            return Step("wake", replica.model, replica.generation)
        if replica.model in targets and replica.state is ReplicaState.DEAD:
            return Step("load", replica.model, replica.generation)
    return None
