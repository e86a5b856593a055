"""How the provisioner keeps workers alive, tells the plan and sets replicas aside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from provisioner_cores import bring_up, core_of, only, without_plan, worker

from catenary.core.provisioner.events import (
    AcquireRequested,
    Granted,
    LoadModel,
    ProcessEnded,
    ProcessStarted,
    Refused,
    ReleaseRequested,
    ReserveReplica,
    SnapshotArrived,
    StartWorker,
    StopRequested,
    StopWorker,
    Tick,
    WorkerServing,
)
from catenary.core.provisioner.settings import Backoff
from catenary.model.plan import AcceleratorSlot, WantedWorker, WorkerPhase
from catenary.model.worker import Replica, ReplicaState, Worker
from catenary.policy.provisioning.static import wanted_workers


def test_a_model_that_was_never_loaded_is_no_error() -> None:
    core = core_of("w0")
    bring_up(core, 0.0)
    never = Replica("small", ReplicaState.DEAD, 0, 16)
    core.handle(SnapshotArrived(1, Worker("w0", "w0:1", 1, (never,))), 1.0)
    assert only(core).last_error == ""


def test_static_policy_wants_each_slot_with_all_its_models() -> None:
    slots = [AcceleratorSlot("b", ("x", "y")), AcceleratorSlot("a", ("x",), 2)]
    assert wanted_workers(slots) == (WantedWorker("b", ("x", "y")), WantedWorker("a", ("x",)))


def test_a_worker_is_ready_when_its_process_serves_and_all_models_are_up() -> None:
    core = core_of("w0")
    assert without_plan(core.handle(Tick(), 0.0)) == [StartWorker("w0", 1)]
    assert only(core).phase is WorkerPhase.STARTING
    core.handle(ProcessStarted("w0", 1, 77), 1.0)
    core.handle(WorkerServing("w0", 1, "h:1"), 2.0)
    core.handle(SnapshotArrived(1, worker(state=ReplicaState.LOADING)), 3.0)
    assert only(core).phase is WorkerPhase.STARTING
    core.handle(SnapshotArrived(1, worker()), 4.0)
    assert (only(core).phase, only(core).pid, only(core).address) == (WorkerPhase.READY, 77, "h:1")


def test_a_crashed_worker_starts_again_after_the_back_off() -> None:
    core = core_of("w0", backoff_s=2.0)
    bring_up(core, 0.0)
    core.handle(ProcessEnded("w0", 1, "was ended by SIGKILL"), 10.0)
    planned = only(core, 10.5)
    assert (planned.phase, planned.next_start_s, planned.pid) == (WorkerPhase.BACKING_OFF, 1.5, 0)
    assert planned.last_error == "was ended by SIGKILL"
    assert without_plan(core.handle(Tick(), 11.9)) == []
    assert without_plan(core.handle(Tick(), 12.0)) == [StartWorker("w0", 2)]
    assert only(core, 12.0).restarts == 1


@given(st.integers(0, 200), st.floats(0.01, 10), st.floats(10, 1000))
def test_back_off_rises_and_never_leaves_its_bounds(failures: int, first_s: float, max_s: float) -> None:
    backoff = Backoff(first_s, max_s)
    delays = [backoff.fail() for _ in range(failures)]
    assert delays == sorted(delays)
    assert all(first_s <= delay <= max_s for delay in delays)
    backoff.reset()
    assert backoff.fail() == first_s


def test_stable_time_makes_earlier_failures_forgotten() -> None:
    core = core_of("w0", backoff_s=1.0, stable_s=60.0, unresponsive_s=1000.0)
    now = 0.0
    for attempt in range(1, 5):
        core.handle(Tick(), now)
        core.handle(ProcessEnded("w0", attempt, "x"), now)
        now += only(core, now).next_start_s
    assert only(core, now - 8.0).next_start_s == 8.0
    bring_up(core, now, attempt=5)
    core.handle(Tick(), now + 61.0)
    core.handle(ProcessEnded("w0", 5, "x"), now + 62.0)
    assert only(core, now + 62.0).next_start_s == 1.0


def test_a_start_that_takes_too_long_is_stopped_and_tried_again() -> None:
    core = core_of("w0", start_timeout_s=30.0)
    core.handle(Tick(), 0.0)
    assert without_plan(core.handle(Tick(), 30.0)) == [StopWorker("w0", 1, at_once=True)]
    assert only(core).last_error == "not ready after 30 s"
    core.handle(ProcessEnded("w0", 1, "was ended by SIGKILL"), 31.0)
    assert only(core).last_error == "not ready after 30 s"
    assert without_plan(core.handle(Tick(), 40.0)) == [StartWorker("w0", 2)]


def test_a_worker_without_a_sign_of_life_is_stopped_at_once() -> None:
    core = core_of("w0", unresponsive_s=5.0)
    bring_up(core, 0.0)
    core.handle(SnapshotArrived(1, worker()), 3.0)
    assert without_plan(core.handle(Tick(), 7.9)) == []
    assert without_plan(core.handle(Tick(), 8.0)) == [StopWorker("w0", 1, at_once=True)]


def test_a_dead_engine_is_loaded_again_on_its_living_worker() -> None:
    core = core_of("w0", backoff_s=2.0)
    bring_up(core, 0.0)
    core.handle(SnapshotArrived(1, worker(state=ReplicaState.DEAD, generation=2)), 1.0)
    assert only(core).phase is WorkerPhase.STARTING
    assert only(core).last_error == "small: out of memory"
    core.handle(SnapshotArrived(1, worker(state=ReplicaState.DEAD, generation=2)), 2.0)
    assert without_plan(core.handle(Tick(), 2.9)) == []
    assert without_plan(core.handle(Tick(), 3.0)) == [LoadModel("w0", "w0:1", "small", 2)]
    assert without_plan(core.handle(Tick(), 3.5)) == []
    core.handle(SnapshotArrived(1, worker(generation=4)), 4.0)
    assert only(core).phase is WorkerPhase.READY


def test_events_of_an_earlier_process_change_nothing() -> None:
    core = core_of("w0", backoff_s=0.5)
    bring_up(core, 0.0)
    core.handle(ProcessEnded("w0", 1, "x"), 1.0)
    core.handle(Tick(), 2.0)
    before = core.plan(2.0)
    for event in (
        ProcessStarted("w0", 1, 9),
        WorkerServing("w0", 1, "old:1"),
        SnapshotArrived(1, worker()),
        ProcessEnded("w0", 1, "again"),
    ):
        core.handle(event, 2.0)
    assert core.plan(2.0).workers == before.workers


def test_stop_ends_running_workers_and_starts_none() -> None:
    core = core_of("w0", "w1")
    bring_up(core, 0.0)
    core.handle(ProcessEnded("w1", 1, "x"), 0.0)
    assert without_plan(core.handle(StopRequested(), 0.1)) == [StopWorker("w0", 1, at_once=False)]
    core.handle(ProcessEnded("w0", 1, "ended with exit code 0"), 1.0)
    assert without_plan(core.handle(Tick(), 1000.0)) == []


def test_the_plan_carries_snapshots_without_calls_and_its_revision_rises_with_each_change() -> None:
    core = core_of("w0")
    bring_up(core, 0.0)
    snapshot, revision = only(core).snapshot, core.plan(0.0).revision
    assert snapshot is not None
    assert snapshot.replicas[0].calls == ()
    assert core.handle(SnapshotArrived(1, worker()), 1.0) == []
    assert core.plan(1.0).revision == revision
    core.handle(SnapshotArrived(1, worker(state=ReplicaState.DRAINING, generation=2)), 1.0)
    assert core.plan(1.0).revision == revision + 1


def test_reasons_are_bounded() -> None:
    core = core_of("w0", backoff_s=0.001, max_backoff_s=0.001)
    for attempt in range(1, 100):
        core.handle(Tick(), attempt)
        core.handle(ProcessEnded("w0", attempt, "y" * 10_000), attempt)
    reasons = core.plan(0.0).reasons
    assert len(reasons) == 32
    assert all(len(reason) <= 300 for reason in reasons)
    assert len(only(core).last_error) <= 2000


def test_a_replica_is_set_aside_for_one_holder_at_a_time() -> None:
    core = core_of("w0")
    (refused,) = without_plan(core.handle(AcquireRequested("small", "p"), 0.0))
    assert refused == Refused(
        "model 'small': none of its replicas is awake; a call wakes one, or models.small.min_awake: 1"
    )
    bring_up(core, 0.0)
    reserve, granted = without_plan(core.handle(AcquireRequested("small", "p"), 1.0))
    assert reserve == ReserveReplica("w0", "w0:1", "small", "p", reserved=True)
    assert granted == Granted("w0", "w0:1", 60.0)
    (refused,) = without_plan(core.handle(AcquireRequested("small", "q"), 2.0))
    assert refused == Refused("model 'small': all 1 awake replicas are set aside, by p")
    assert without_plan(core.handle(ReleaseRequested("small", "w0", "q"), 2.5)) == []
    released = without_plan(core.handle(ReleaseRequested("small", "w0", "p"), 3.0))
    assert released == [ReserveReplica("w0", "w0:1", "small", "p", reserved=False)]
    assert isinstance(core.handle(AcquireRequested("small", "q"), 4.0)[1], Granted)


def test_an_unknown_model_cannot_be_set_aside() -> None:
    (refused,) = without_plan(core_of("w0").handle(AcquireRequested("smal", "p"), 0.0))
    assert refused == Refused("model 'smal': no worker holds it; planned: small")


def test_a_lease_ends_when_its_holder_stops_asking() -> None:
    core = core_of("w0", lease_s=10.0, unresponsive_s=100.0)
    bring_up(core, 0.0)
    core.handle(AcquireRequested("small", "p"), 0.0)
    core.handle(AcquireRequested("small", "p"), 8.0)
    assert without_plan(core.handle(Tick(), 17.9)) == []
    assert without_plan(core.handle(Tick(), 18.0)) == [ReserveReplica("w0", "w0:1", "small", "p", reserved=False)]


def test_a_reservation_from_before_this_provisioner_is_undone() -> None:
    core = core_of(external=True)
    core.handle(WorkerServing("w9", 0, "h:9"), 0.0)
    actions = without_plan(core.handle(SnapshotArrived(0, worker("w9", reserved=True)), 0.1))
    assert actions == [ReserveReplica("w9", "h:9", "small", "", reserved=False)]


def test_external_workers_join_and_leave_by_themselves() -> None:
    core = core_of("w0", external=True, unresponsive_s=5.0)
    assert without_plan(core.handle(Tick(), 0.0)) == []
    core.handle(WorkerServing("w9", 0, "h:9"), 0.0)
    core.handle(WorkerServing("w0", 0, "h:0"), 0.0)
    assert [(w.worker_id, w.phase.value) for w in core.plan(0.0).workers] == [("w0", "external"), ("w9", "external")]
    assert without_plan(core.handle(Tick(), 6.0)) == []
    assert [(w.worker_id, w.address) for w in core.plan(6.0).workers] == [("w0", "")]
    assert without_plan(core.handle(StopRequested(), 7.0)) == []


@pytest.mark.parametrize("count", [1, 3])
def test_all_workers_start_together(count: int) -> None:
    names = [f"w{i}" for i in range(count)]
    assert without_plan(core_of(*names).handle(Tick(), 0.0)) == [StartWorker(name, 1) for name in names]
