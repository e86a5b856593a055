"""No sequence of events gives a worker two processes."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from provisioner_cores import TICK_S, core_of, worker

from catenary.core.provisioner import ProvisionerCore
from catenary.core.provisioner.events import (
    AcquireRequested,
    ProcessEnded,
    ProvisionerAction,
    SnapshotArrived,
    StartWorker,
    StopRequested,
    StopWorker,
    Tick,
    WorkerServing,
)
from catenary.model.worker import ReplicaState


@dataclass
class World:
    """Processes as the core's actions make them, and the rules that no sequence of events may break."""

    core: ProvisionerCore
    alive: dict[str, int] = field(default_factory=dict)
    started: dict[str, int] = field(default_factory=dict)
    ended_at: dict[str, float] = field(default_factory=dict)
    stopping: bool = False

    def apply(self, actions: list[ProvisionerAction], now: float) -> None:
        for action in actions:
            if isinstance(action, StartWorker):
                assert action.worker_id not in self.alive, "two processes of one worker"
                assert action.attempt == self.started.get(action.worker_id, 0) + 1
                assert not self.stopping
                if action.worker_id in self.ended_at:
                    waited_s = now - self.ended_at[action.worker_id]
                    assert 0.5 - 1e-9 <= waited_s <= 8.0 + TICK_S + 1e-9
                self.alive[action.worker_id] = self.started[action.worker_id] = action.attempt
            elif isinstance(action, StopWorker):
                assert self.alive[action.worker_id] == action.attempt

    def end(self, name: str, now: float) -> None:
        attempt = self.alive.pop(name)
        self.ended_at[name] = now
        self.apply(self.core.handle(ProcessEnded(name, attempt, "x"), now), now)


steps = st.lists(
    st.tuples(
        st.sampled_from(["wait", "end", "serve", "snapshot", "dead", "stale", "acquire"]),
        st.sampled_from(["w0", "w1"]),
        st.integers(1, 200),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(steps, st.booleans())
def test_no_sequence_of_events_gives_two_processes_of_one_worker(
    script: list[tuple[str, str, int]], stops: bool
) -> None:
    core = core_of("w0", "w1", backoff_s=0.5, max_backoff_s=8.0, start_timeout_s=20.0, unresponsive_s=5.0, stable_s=9.0)
    world, now = World(core), 0.0
    for what, name, amount in script:
        attempt = world.alive.get(name, 0)
        match what:
            case "wait":
                for _ in range(amount):
                    now += TICK_S
                    world.apply(core.handle(Tick(), now), now)
            case "end" if attempt:
                world.end(name, now)
            case "serve" if attempt:
                core.handle(WorkerServing(name, attempt, "h:1"), now)
            case "snapshot":
                world.apply(core.handle(SnapshotArrived(attempt, worker(name)), now), now)
            case "dead":
                dead = worker(name, ReplicaState.DEAD, amount)
                world.apply(core.handle(SnapshotArrived(attempt, dead), now), now)
            case "stale":
                world.apply(core.handle(ProcessEnded(name, attempt - 1, "late"), now), now)
            case "acquire":
                world.apply(core.handle(AcquireRequested("small", name), now), now)
    if stops:
        world.stopping = True
        world.apply(core.handle(StopRequested(), now), now)
    for name in list(world.alive):
        world.end(name, now)
    for _ in range(80):
        now += TICK_S
        world.apply(core.handle(Tick(), now), now)
    assert set(world.alive) == (set() if stops else {"w0", "w1"})
