"""What becomes of a worker's replicas: loads, sleeps, drains and reservations, one engine action at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worker_cores import CALL, GIB, awake_core, commands, new_core, refusal, state

from catenary.core.worker.events import (
    AbortCalls,
    Drained,
    EngineFacts,
    SleepEngine,
    SnapshotChanged,
    StartEngine,
    StopEngine,
    WakeEngine,
)
from catenary.model.outcome import FinishReason
from catenary.model.worker import ReplicaState, SleepMode


def test_loads_run_one_after_the_other() -> None:
    core = new_core()
    assert StartEngine("m") in core.engines.load(1, "m", 0, 0, 0, 0.0)
    assert StartEngine("n") not in core.engines.load(2, "n", 0, 0, 0, 0.0)
    assert {state(core), state(core, "n")} == {ReplicaState.LOADING}
    assert StartEngine("n") in core.engines.engine_ready("m", EngineFacts(), 40.0)
    assert state(core) is ReplicaState.AWAKE


def test_a_first_start_shows_that_it_goes_on() -> None:
    core = new_core()
    core.engines.load(1, "m", 0, 0, 0, 0.0)
    shares = [core.snapshot(0, at).replicas[0].load_progress for at in (0.0, 30.0, 60.0, 6000.0)]
    assert shares == [0.0, pytest.approx(1 / 3), 0.5, 0.99]


def test_a_snapshot_tells_how_long_the_start_took_and_how_far_the_next_is() -> None:
    core = awake_core()
    core.engines.unload(2, "m", 0, 6.0)
    core.engines.engine_stopped("m", 6.0)
    core.engines.load(3, "m", 0, 0, 0, 10.0)
    replica = core.snapshot(0, 12.0).replicas[0]
    assert (replica.start_s, replica.load_progress) == pytest.approx((5.0, 0.4))
    assert core.snapshot(0, 99.0).replicas[0].load_progress == 0.99


def test_a_load_beyond_the_free_memory_is_refused_with_both_figures() -> None:
    core = new_core(needed_bytes=5 * GIB)
    error = commands(core.engines.load(1, "m", 0, 2 * GIB, 16 * GIB, 0.0))[1]
    assert "needs 5.0 GiB; 2.0 GiB of 16.0 GiB are free" in error
    assert (state(core), core.snapshot(0, 0.0).replicas[0].error) == (ReplicaState.DEAD, error)
    assert commands(core.engines.load(2, "m", 0, 6 * GIB, 16 * GIB, 0.0))[2] == ""


def test_an_engine_that_fails_to_start_is_dead_with_its_error_and_can_be_loaded_again() -> None:
    core = new_core()
    core.engines.load(1, "m", 0, 0, 0, 0.0)
    core.engines.engine_failed("m", "no memory", 1.0)
    assert core.snapshot(0, 1.0).replicas[0].error == "no memory"
    assert StartEngine("m") in core.engines.load(2, "m", 0, 0, 0, 2.0)


def test_a_sleep_waits_for_running_calls_and_refuses_new_ones() -> None:
    core = awake_core()
    core.start_call(CALL)
    actions = core.engines.sleep(5, "m", 0, 1, SleepMode.DRAIN, 1.0)
    assert actions == [SnapshotChanged()]
    assert refusal(core, replace(CALL, call_id="r/2")) is FinishReason.REPLICA_DRAINING
    _, actions = core.call_ended(1, FinishReason.STOP, "", 2.0)
    assert actions == [SleepEngine("m", 1, False)]
    assert commands(core.engines.engine_slept("m", "", 3.0)) == {5: ""}
    assert state(core) is ReplicaState.ASLEEP


def test_a_replaying_sleep_aborts_and_a_freezing_one_keeps_the_calls() -> None:
    core = awake_core()
    core.start_call(CALL)
    assert AbortCalls((1,)) in core.engines.sleep(5, "m", 0, 1, SleepMode.REPLAY, 1.0)
    core = awake_core()
    core.start_call(CALL)
    assert SleepEngine("m", 1, True) in core.engines.sleep(5, "m", 0, 1, SleepMode.FREEZE, 1.0)
    core.engines.engine_slept("m", "", 2.0)
    assert len(core.snapshot(0, 2.0).replicas[0].calls) == 1
    assert WakeEngine("m") in core.engines.wake(6, "m", 0, 3.0)


def test_waking_a_replica_that_still_drains_calls_its_sleep_off() -> None:
    core = awake_core()
    core.start_call(CALL)
    core.engines.sleep(5, "m", 0, 1, SleepMode.DRAIN, 1.0)
    done = commands(core.engines.wake(6, "m", 0, 2.0))
    assert "woken before it slept" in done[5]
    assert done[6] == ""
    assert state(core) is ReplicaState.AWAKE


def test_a_sleep_that_fails_leaves_the_replica_awake() -> None:
    core = awake_core()
    core.engines.sleep(5, "m", 0, 1, SleepMode.DRAIN, 1.0)
    assert commands(core.engines.engine_slept("m", "not on a CPU", 2.0)) == {5: "not on a CPU"}
    assert state(core) is ReplicaState.AWAKE


def test_a_command_for_another_generation_is_refused() -> None:
    core = awake_core()
    error = commands(core.engines.unload(5, "m", 1, 1.0))[5]
    assert error == "model 'm' is at generation 2 (AWAKE), not 1"


def test_an_unload_during_the_start_takes_effect_after_it() -> None:
    core = new_core()
    core.engines.load(1, "m", 0, 0, 0, 0.0)
    assert core.engines.unload(2, "m", 0, 1.0) == []
    assert StopEngine("m") in core.engines.engine_ready("m", EngineFacts(), 2.0)
    assert commands(core.engines.engine_stopped("m", 3.0)) == {2: ""}


def test_a_drained_worker_says_so_once_its_last_call_has_ended() -> None:
    core = awake_core()
    core.start_call(CALL)
    assert Drained() not in core.engines.drain(1.0)
    assert refusal(core, replace(CALL, call_id="r/2")) is FinishReason.REPLICA_DRAINING
    assert core.snapshot(0, 1.0).draining
    _, actions = core.call_ended(1, FinishReason.STOP, "", 2.0)
    assert Drained() in actions


def test_an_engine_that_comes_up_on_a_draining_worker_takes_no_calls() -> None:
    core = new_core()
    core.engines.load(1, "m", 0, 0, 0, 0.0)
    core.engines.drain(1.0)
    core.engines.engine_ready("m", EngineFacts(), 2.0)
    assert state(core) is ReplicaState.DRAINING


def test_a_reserved_replica_takes_calls_of_its_holder_alone_whatever_the_router_s_epoch() -> None:
    core = awake_core()
    core.watched(9)
    core.engines.reserve(5, "m", True, "profiler")
    assert refusal(core, replace(CALL, router_epoch=9)) is FinishReason.REPLICA_DRAINING
    assert refusal(core, replace(CALL, gateway_id="profiler", call_id="p/a")) is None
    assert "set aside for 'profiler'" in commands(core.engines.reserve(6, "m", True, "other"))[6]
    assert commands(core.engines.reserve(7, "m", False, "")) == {7: ""}
    assert not core.snapshot(0, 0.0).replicas[0].reserved
