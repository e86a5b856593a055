"""Host memory is a budget: what has no room there sleeps without its weights, and wakes more slowly."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worker_cores import CALL, GIB, commands, state

from catenary.core.provisioner.allocator import Allocator
from catenary.core.provisioner.outlook import Outlook
from catenary.core.worker import WorkerCore
from catenary.core.worker.events import AbortCalls, EngineFacts, ReplicaSettings, SleepEngine
from catenary.model.profile import EngineProfile
from catenary.model.worker import Replica, ReplicaState, SleepMode, Worker
from catenary.policy.provisioning import PLANNERS, PlanContext, PlanDecision
from catenary.policy.provisioning.context import PlanSettings


def worker_core(host_gib: int) -> WorkerCore:
    """m and n are awake, with weights of 4 GiB each."""
    replicas = [ReplicaSettings(model, 2, 1, 100, wake_s=0.5, reload_s=3.0) for model in ("m", "n")]
    core = WorkerCore(Worker("w0", "h:1", 7, (), host_budget_bytes=host_gib * GIB), replicas, 100)
    for command, model in enumerate(("m", "n")):
        core.engines.load(command, model, 0, 0, 0, 0.0)
        core.engines.engine_ready(model, EngineFacts(weights_bytes=4 * GIB), 1.0)
    return core


def slept(core: WorkerCore, model: str) -> int:
    """Puts it to sleep as the worker likes; the level."""
    [action] = [a for a in core.engines.sleep(9, model, 0, 0, SleepMode.DRAIN, 2.0) if isinstance(a, SleepEngine)]
    core.engines.engine_slept(model, "", 2.5)
    return action.level


@pytest.mark.parametrize(("host_gib", "levels"), [(0, [1, 1]), (8, [1, 1]), (7, [1, 2]), (3, [2, 2])])
def test_weights_that_have_no_room_in_host_memory_are_dropped(host_gib: int, levels: list[int]) -> None:
    core = worker_core(host_gib)
    assert [slept(core, "m"), slept(core, "n")] == levels
    assert [replica.sleep_level for replica in core.snapshot(0, 3.0).replicas] == levels


def test_a_model_that_wakes_makes_room_for_the_next_and_one_without_weights_takes_longer() -> None:
    core = worker_core(7)
    assert [slept(core, "m"), slept(core, "n")] == [1, 2]
    core.engines.wake(20, "n", 0, 3.0)
    assert core.replica("n", 3.0).ready_in_s == pytest.approx(3.0)
    core.engines.engine_woke("n", "", 6.0)
    core.engines.wake(21, "m", 0, 6.0)
    assert core.replica("m", 6.0).ready_in_s == pytest.approx(0.5)
    core.engines.engine_woke("m", "", 6.5)
    assert slept(core, "n") == 1


def test_level_one_beyond_the_budget_is_refused_with_the_figures_where_it_is_asked_for() -> None:
    core = worker_core(7)
    slept(core, "m")
    error = commands(core.engines.sleep(20, "n", 0, 1, SleepMode.DRAIN, 3.0))[20]
    assert "model 'n' asleep needs 4.0 GiB of host memory; 4.0 GiB of 7.0 GiB are taken by m" in error
    assert state(core, "n") is ReplicaState.AWAKE


def test_calls_go_on_elsewhere_where_they_cannot_be_frozen() -> None:
    core = worker_core(3)
    core.start_call(replace(CALL, model="m"))
    actions = core.engines.sleep(20, "m", 0, 0, SleepMode.FREEZE, 3.0)
    assert any(isinstance(action, AbortCalls) for action in actions)


def test_the_plan_counts_the_longer_wake_and_prefers_weights_that_are_at_hand() -> None:
    contexts: list[PlanContext] = []

    def look(context: PlanContext) -> PlanDecision:
        contexts.append(context)
        return PLANNERS["reactive"](context)

    outlook = Outlook({"m": EngineProfile("m", wake_s=0.5, start_s=60, reload_s=3.0)}, {})
    allocator = Allocator(look, PlanSettings(), outlook)
    allocator.plan([asleep("w0", 2), asleep("w1", 1)], 0.0)
    [context] = contexts
    pool = replace(context.pools["m"], num_queued=9.0)
    for accelerators, expected in (
        (context.accelerators, [("w1", 0.5), ("w0", 3.0)]),
        (context.accelerators[:1], [("w0", 3.0)]),
    ):
        moves = PLANNERS["reactive"](replace(context, pools={"m": pool}, accelerators=accelerators)).moves
        assert [(move.worker_id, move.takes_s) for move in moves] == expected


def asleep(name: str, level: int) -> Worker:
    return Worker(name, f"{name}:1", 1, (Replica("m", ReplicaState.ASLEEP, 1, 16, sleep_level=level),))
