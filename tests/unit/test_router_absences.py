"""A worker that is started again counts as on its way: a rolling restart makes no pool look empty."""

from __future__ import annotations

from typing import Any

from catenary.core.router import RouterCore, RouterEvent, RouterSettings, SnapshotArrived, WorkerLost, WorkersExpected
from catenary.core.router.absences import Absences
from catenary.model.profile import EngineProfile
from catenary.model.worker import Replica, ReplicaState, Worker

START_S, GRACE_S = 4.0, 10.0


def router(**changes: Any) -> RouterCore:
    profiles = {model: EngineProfile(model, start_s=START_S) for model in ("m", "other")}
    return RouterCore(RouterSettings(return_grace_s=GRACE_S, **changes), profiles)


def shows(state: ReplicaState, worker_id: str = "w0", incarnation: int = 1, error: str = "") -> SnapshotArrived:
    replica = Replica("m", state, 1, 2, error=error)
    return SnapshotArrived(Worker(worker_id, f"{worker_id}:{incarnation}", incarnation, (replica,)))


def after(core: RouterCore, now: float, *events: tuple[float, RouterEvent]) -> tuple[int, int, float]:
    """Replicas, those on their way, and seconds to the first at ``now``, of model m."""
    for at, event in events:
        core.handle(event, at)
    state = next(state for state in core.pool_states(now) if state.model == "m")
    return state.num_replicas, state.num_starting, state.ready_in_s


def test_a_lost_worker_is_on_its_way_until_its_grace_ends() -> None:
    core = router()
    assert after(core, 1.0, (0.0, shows(ReplicaState.AWAKE)), (1.0, WorkerLost("w0"))) == (0, 1, START_S)
    assert after(core, 3.0) == (0, 1, START_S - 2.0)
    assert after(core, 5.0) == (0, 1, 0.0)
    assert after(core, 10.9)[:2] == (0, 1)
    assert after(core, 11.0) == (0, 0, 0.0)


def test_a_worker_that_is_overdue_is_expected_in_as_long_again() -> None:
    core = router()
    after(core, 1.0, (0.0, shows(ReplicaState.AWAKE)), (1.0, WorkerLost("w0")))
    assert after(core, 6.0) == (0, 1, 1.0)
    assert after(core, 9.0) == (0, 1, 4.0)


def test_a_worker_that_drains_ends_and_comes_back_never_leaves_its_pool_empty() -> None:
    core = router()
    assert after(core, 0.0, (0.0, shows(ReplicaState.AWAKE))) == (1, 0, 0.0)
    assert after(core, 20.0, (20.0, shows(ReplicaState.DRAINING))) == (0, 1, START_S)
    assert after(core, 40.0, (40.0, shows(ReplicaState.DRAINING))) == (0, 1, START_S)
    assert after(core, 41.0, (41.0, WorkerLost("w0"))) == (0, 1, START_S - 1.0)
    assert after(core, 42.0, (42.0, shows(ReplicaState.DEAD, incarnation=2)))[1] == 1
    assert after(core, 43.0, (43.0, shows(ReplicaState.LOADING, incarnation=2))) == (0, 1, START_S)
    assert after(core, 44.0, (44.0, shows(ReplicaState.AWAKE, incarnation=2))) == (1, 0, 0.0)


def test_a_worker_lost_twice_has_the_grace_of_the_first_time() -> None:
    core = router()
    after(core, 0.0, (0.0, shows(ReplicaState.AWAKE)), (1.0, WorkerLost("w0")))
    assert after(core, 11.0, (9.0, WorkerLost("w0")))[1] == 0


def test_an_engine_that_crashed_is_on_its_way_and_one_that_was_unloaded_is_not() -> None:
    core = router()
    after(core, 0.0, (0.0, shows(ReplicaState.AWAKE)))
    assert after(core, 1.0, (1.0, shows(ReplicaState.DEAD, error="the engine ended")))[:2] == (0, 1)
    core = router()
    after(core, 0.0, (0.0, shows(ReplicaState.AWAKE)), (1.0, shows(ReplicaState.DRAINING)))
    assert after(core, 2.0, (2.0, shows(ReplicaState.DEAD)))[:2] == (0, 0)


def test_a_worker_without_the_model_is_not_waited_for() -> None:
    core = router()
    after(core, 0.0, (0.0, shows(ReplicaState.AWAKE)), (1.0, WorkerLost("w0")))
    core.handle(SnapshotArrived(Worker("w0", "w0:2", 2, (Replica("other", ReplicaState.AWAKE, 1, 2),))), 2.0)
    assert after(core, 2.0)[:2] == (0, 0)


def test_a_sleeping_replica_s_worker_is_waited_for_where_somebody_wakes_it() -> None:
    for wakes in (True, False):
        core = router(wakes=wakes)
        after(core, 0.0, (0.0, shows(ReplicaState.ASLEEP)))
        assert after(core, 1.0, (1.0, WorkerLost("w0")))[1] == int(wakes)


def test_a_new_router_counts_on_the_workers_that_should_be_there() -> None:
    core = router()
    expected = WorkersExpected({"w0": ["m"], "w1": ["m", "other", "unknown"]})
    assert after(core, 0.0, (0.0, expected)) == (0, 2, START_S)
    assert after(core, 1.0, (1.0, shows(ReplicaState.AWAKE))) == (1, 1, START_S - 1.0)
    assert after(core, 10.0) == (1, 0, 0.0)


def test_the_fleet_changes_when_replicas_come_and_go_and_not_with_their_calls() -> None:
    core = router()
    seen = []
    events: list[RouterEvent] = [*map(shows, (ReplicaState.LOADING, ReplicaState.AWAKE, ReplicaState.AWAKE))]
    for at, event in enumerate([*events, WorkerLost("w0")]):
        before = core.fleet()
        core.handle(event, float(at))
        seen.append(core.fleet() != before)
    assert seen == [True, True, False, True]


def test_a_worker_that_is_lost_again_while_it_is_away_keeps_its_time() -> None:
    away = Absences(10.0)
    away.begin("w0", 0.0)
    away.begin("w0", 8.0)
    assert "w0" in away.current(9.0)
    assert "w0" not in away.current(10.0)
