"""Several models awake together on one accelerator: when the plan wants it, and how they slow each other down."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worker_cores import GIB, commands, state

from catenary.core.provisioner.allocator import Allocator
from catenary.core.provisioner.outlook import Outlook
from catenary.core.router.pool import Pool
from catenary.core.router.settings import RouterSettings
from catenary.core.worker import WorkerCore
from catenary.core.worker.events import EngineFacts, ReplicaSettings, SleepEngine, WakeEngine
from catenary.model.profile import EngineProfile
from catenary.model.worker import Replica, ReplicaState, SleepMode, Worker
from catenary.policy.prediction import Traffic
from catenary.policy.provisioning.context import (
    Accelerator,
    ActionTimes,
    PlanContext,
    PlanSettings,
    PoolOutlook,
    WorkflowOutlook,
)
from catenary.policy.provisioning.decision import Move, MoveKind, PlanDecision
from catenary.policy.provisioning.reactive import reactive
from catenary.policy.provisioning.risk import risk
from catenary.policy.provisioning.sharing import slowness
from catenary.simulation.sharing import SharedAccelerator

TIMES = ActionTimes(sleep_s=0.4, wake_s=0.5)


def pool(model: str, rate: float, loss: float) -> PoolOutlook:
    profile = EngineProfile(model, prefill_base_s=0.003, step_base_s=0.008, sharing_loss=loss)
    return PoolOutlook(model, profile, TIMES, traffic=Traffic(256, 100), rate=rate, num_running=0.8 * rate)


def context(
    rates: tuple[float, float], loss: float = 0.4, memory_gib: int = 8, together: int = 2, accelerators: int = 1
) -> PlanContext:
    """Accelerators with x awake and y asleep, of 4 GiB each; each workflow asks for one model."""
    needs = {"x": 4 * GIB, "y": 4 * GIB}
    awake = tuple(
        Accelerator(f"w{i}", "x", asleep=("y",), memory_bytes=memory_gib * GIB, needs=needs)
        for i in range(accelerators)
    )
    names = dict(zip("xy", rates, strict=True))
    flows = tuple(WorkflowOutlook(m, r, 2.2, 0.2, {m: 1.0}, {m: 0.0}, 0.85) for m, r in names.items())
    pools = {model: pool(model, rate, loss) for model, rate in names.items()}
    return PlanContext(awake, pools, flows, settings=PlanSettings(awake_together=together))


def test_a_model_wakes_beside_another_where_both_are_asked_for_and_their_memory_fits() -> None:
    [move] = risk(context((4, 4))).moves
    assert (move.kind, move.after, move.beside) == (MoveKind.JOIN, "y", ("x",))
    assert "w0 wakes y beside x: predicted misses" in str(move)


@pytest.mark.parametrize("changes", [{"memory_gib": 7}, {"memory_gib": 0}, {"together": 1}])
def test_nothing_wakes_beside_another_without_the_memory_or_the_permission(changes: dict[str, int]) -> None:
    assert MoveKind.JOIN not in {move.kind for move in risk(context((4, 4), **changes)).moves}


def test_an_accelerator_is_switched_rather_than_shared_where_that_misses_less() -> None:
    """What is awake together would be slowed so much that each better has an accelerator for itself."""
    [move] = risk(context((10, 10), loss=3.0, accelerators=2)).moves[:1]
    assert (move.kind, move.before, move.after) == (MoveKind.SWITCH, "x", "y")


def test_a_model_sleeps_where_those_beside_it_miss_more_than_it_serves() -> None:
    base = context((12, 0.0), loss=4.0)
    both = replace(base.accelerators[0], beside={"y": 0.0}, asleep=())
    pools = {**base.pools, "y": replace(base.pools["y"], num_running=3.0)}
    other = Accelerator("w1", "y")
    moves = risk(replace(base, accelerators=(both, other), pools=pools)).moves
    assert [(m.kind, m.worker_id, m.before, m.beside) for m in moves] == [(MoveKind.SLEEP, "w0", "y", ("x",))]


def test_queues_alone_wake_a_model_beside_another_too() -> None:
    [move] = reactive(context((4, 4))).moves
    assert (move.kind, move.after) == (MoveKind.JOIN, "y")


def test_slowness_counts_the_chance_that_the_neighbour_is_busy() -> None:
    base = context((4, 4), loss=0.4, accelerators=2)
    shared, alone = replace(base.accelerators[0], beside={"y": 0.0}), base.accelerators[1]
    found = slowness(base.pools, (shared,))
    assert found["x"] == pytest.approx(1 + 0.4 * 0.96, abs=0.02)
    assert slowness(base.pools, (shared, alone))["x"] == pytest.approx(2 / (1 + 1 / found["x"]))
    assert slowness(base.pools, (alone,)) == {}
    idle = {**base.pools, "y": pool("y", 0.0, 0.4)}
    assert slowness(idle, (shared,))["x"] == 1.0


def test_a_joining_model_is_woken_and_what_is_awake_stays() -> None:
    moves = [Move(MoveKind.JOIN, "w0", "", "y", takes_s=0.5, beside=("x",))]
    settings = PlanSettings(awake_together=2)
    allocator = Allocator(lambda _: PlanDecision(tuple(moves)), settings, Outlook({}, {}))
    worker = shown(ReplicaState.AWAKE, ReplicaState.ASLEEP)
    assert [move.kind for move in allocator.plan([worker], 0.0)] == [MoveKind.JOIN]
    assert allocator.waking([worker], 0.1)["y"] == pytest.approx(0.4)
    step = allocator.step(worker, 0.1)
    assert step is not None
    assert (step.what, step.model) == ("wake", "y")
    allocator.step_ended("w0")
    both = shown(ReplicaState.AWAKE, ReplicaState.AWAKE)
    assert allocator.step(both, 0.6) is None
    moves[:] = [Move(MoveKind.SLEEP, "w0", "x", beside=("y",))]
    allocator.plan([both], 1.0)
    allocator.plan([both], 4.0)
    step = allocator.step(both, 4.0)
    assert step is not None
    assert (step.what, step.model) == ("sleep", "x")


def shown(x: ReplicaState, y: ReplicaState) -> Worker:
    replicas = (Replica("x", x, 1, 16, awake_bytes=4 * GIB), Replica("y", y, 1, 16, awake_bytes=4 * GIB))
    return Worker("w0", "w0:1", 1, replicas, memory_budget_bytes=8 * GIB)


def worker_core(budget_gib: int) -> WorkerCore:
    """m is awake, n sleeps; each needs 4 GiB while it is awake."""
    replicas = [ReplicaSettings(model, 2, 1, 100, awake_bytes=4 * GIB) for model in ("m", "n")]
    core = WorkerCore(Worker("w0", "h:1", 7, (), memory_budget_bytes=budget_gib * GIB), replicas, 100)
    for command, model in enumerate(("n", "m")):
        core.engines.load(command, model, 0, 0, 0, 0.0)
        core.engines.engine_ready(model, EngineFacts(), 1.0)
        if model == "n":
            core.engines.sleep(9, "n", 0, 1, SleepMode.DRAIN, 1.0)
            core.engines.engine_slept("n", "", 2.0)
    return core


def test_a_worker_wakes_a_model_beside_another_where_both_fit_and_refuses_it_with_the_figures_where_not() -> None:
    assert WakeEngine("n") in worker_core(8).engines.wake(20, "n", 0, 3.0)
    tight = worker_core(7)
    error = commands(tight.engines.wake(20, "n", 0, 3.0))[20]
    assert "model 'n' needs 4.0 GiB awake; 4.0 GiB of 7.0 GiB are taken by m; put one to sleep first" in error
    assert state(tight, "n") is ReplicaState.ASLEEP


def test_what_is_already_going_to_sleep_makes_room() -> None:
    core = worker_core(7)
    assert SleepEngine("m", 1, True) in core.engines.sleep(20, "m", 0, 1, SleepMode.FREEZE, 3.0)
    assert commands(core.engines.wake(21, "n", 0, 3.0)) == {}
    assert WakeEngine("n") in core.engines.engine_slept("m", "", 4.0)


def test_a_snapshot_tells_the_budget_and_what_each_takes() -> None:
    snapshot = worker_core(8).snapshot(0, 3.0)
    assert snapshot.memory_budget_bytes == 8 * GIB
    assert [replica.awake_bytes for replica in snapshot.replicas] == [4 * GIB, 4 * GIB]


def test_busy_engines_slow_each_other_and_idle_ones_nobody() -> None:
    card = SharedAccelerator[str]()
    assert card.note("a", 0.4, True) == []
    assert card.note("b", 1.0, True) == [("a", 1.4), ("b", 2.0)]
    assert card.note("b", 1.0, True) == []
    assert card.note("c", 0.5, True) == [("a", 1.8), ("b", 3.0), ("c", 2.0)]
    assert card.leave("b") == [("a", 1.4), ("c", 1.5)]
    assert card.note("a", 0.4, False) == [("c", 1.0)]


def test_the_router_expects_more_time_where_a_neighbour_is_busy_and_forgets_it_where_not() -> None:
    found = Pool("x", EngineProfile("x", sharing_loss=0.4), RouterSettings())
    replica = Replica("x", ReplicaState.AWAKE, 1, 16)
    for name in ("w0", "w1"):
        found.update(Worker(name, f"{name}:1", 1, (replica,)), replica, 0.0)
    for _ in range(40):
        found.share("w0", 1)
        found.share("w1", 0)
    assert found.replicas["w0"].slowness == pytest.approx(1.4, abs=0.001)
    assert found.state(0.0).interference == pytest.approx(1.2, abs=0.001)
    assert found.replicas["w0"].burden > found.replicas["w1"].burden == 0
    for _ in range(60):
        found.share("w0", 0)
    assert found.state(0.0).interference == pytest.approx(1.0, abs=0.001)
