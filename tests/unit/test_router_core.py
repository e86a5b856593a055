"""The router's queues, reservations and placements."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catenary.core.router import (
    Assign,
    GatewayLeft,
    Offered,
    ProfileChanged,
    Reject,
    Released,
    RouterAction,
    RouterCore,
    RouterSettings,
    SnapshotArrived,
    Tick,
    Withdrawn,
    WorkerLost,
)
from catenary.model.dispatch import QueuedCall
from catenary.model.lengths import LengthEstimate
from catenary.model.outcome import Outcome
from catenary.model.profile import EngineProfile
from catenary.model.worker import Replica, ReplicaState, ResidentCall, Worker

PROFILE = EngineProfile(model="m", step_base_s=0.01, step_seq_s=0.0, prefill_base_s=0.01, max_num_seqs=2)


def call(name: str, **changes: Any) -> QueuedCall:
    base = QueuedCall(
        call_id=f"run/{name}",
        attempt=1,
        gateway_id="g",
        model="m",
        prompt_tokens=10,
        max_tokens=100,
        output=LengthEstimate.exactly(10),
        ready_at=0.0,
    )
    return replace(base, **changes)


def worker(
    worker_id: str,
    state: ReplicaState = ReplicaState.AWAKE,
    calls: tuple[ResidentCall, ...] = (),
    sequence: int = 1,
    seats: int = 2,
    lookahead: int = 0,
    reserved: bool = False,
) -> SnapshotArrived:
    replica = Replica("m", state, 1, seats, lookahead=lookahead, calls=calls, reserved=reserved)
    return SnapshotArrived(Worker(worker_id, f"{worker_id}:1", 1, (replica,), sequence=sequence))


def router(**changes: Any) -> RouterCore:
    return RouterCore(RouterSettings(**changes), {"m": PROFILE})


def assigned(actions: Sequence[RouterAction]) -> list[str]:
    return [action.call.call_id for action in actions if isinstance(action, Assign)]


def test_a_call_waits_until_a_replica_is_there() -> None:
    core = router()
    assert core.handle(Offered(call("a")), 0.0) == []
    assert assigned(core.handle(worker("w0"), 1.0)) == ["run/a"]


def test_a_draining_replica_gets_no_calls() -> None:
    core = router()
    core.handle(worker("w0", ReplicaState.DRAINING), 0.0)
    assert core.handle(Offered(call("a")), 0.0) == []


def test_a_replica_set_aside_for_profiling_gets_no_calls() -> None:
    core = router()
    core.handle(worker("w0", reserved=True), 0.0)
    assert core.handle(Offered(call("a")), 0.0) == []


def test_the_call_with_the_earliest_latest_start_goes_first() -> None:
    core = router(ordering="least_slack", shed_lost=False)
    for name, latest_finish in (("late", 90.0), ("soon", 50.0), ("middle", 70.0)):
        core.handle(Offered(call(name, latest_finish=latest_finish, lost_finish=99.0, deadline=99.0)), 0.0)
    assert assigned(core.handle(worker("w0", seats=3), 0.0)) == ["run/soon", "run/middle", "run/late"]


def test_first_come_is_first_served_whatever_the_deadline() -> None:
    core = router(ordering="fcfs", routing="least_loaded", shed_lost=False)
    core.handle(Offered(call("first", ready_at=0.0, deadline=99.0)), 0.0)
    core.handle(Offered(call("urgent", ready_at=1.0, deadline=3.0)), 1.0)
    assert assigned(core.handle(worker("w0"), 2.0)) == ["run/first", "run/urgent"]


def test_a_waiting_call_that_can_no_longer_end_in_time_is_given_back_as_expired() -> None:
    core = router()
    core.handle(Offered(call("a", latest_finish=1.0, lost_finish=1.0, deadline=1.0)), 0.0)
    rejected = core.handle(Tick(), 2.0)
    assert [(action.call.call_id, action.outcome) for action in rejected if isinstance(action, Reject)] == [
        ("run/a", Outcome.EXPIRED)
    ]
    assert core.handle(worker("w0"), 2.0) == []


def test_late_calls_use_free_seats_only_beside_their_share() -> None:
    core = router(late_share=0.0)
    core.handle(worker("w0", seats=2), 0.0)
    core.handle(Offered(call("late", late=True)), 0.0)
    assert core.pools["m"].num_late == 1


def test_the_seat_of_a_late_call_that_ended_goes_to_the_next_late_call() -> None:
    core = router(late_share=0.5, triage=False)
    core.handle(worker("w0", seats=2), 0.0)
    assert assigned(core.handle(Offered(call("a", late=True)), 0.0)) == ["run/a"]
    assert assigned(core.handle(Offered(call("b")), 0.0)) == ["run/b"]
    core.handle(Offered(call("c")), 0.0)
    core.handle(Offered(call("late", late=True)), 0.0)
    assert assigned(core.handle(Released("run/a", 1, 10), 1.0)) == ["run/c"]
    assert core.pools["m"].num_late == 0


def test_a_call_that_is_placed_again_has_the_whole_time_of_a_reservation() -> None:
    core = router(reservation_ttl_s=5.0)
    core.handle(worker("w0"), 0.0)
    core.handle(Offered(call("a")), 0.0)
    core.handle(Released("run/a", 1, 0), 3.0)
    core.handle(Offered(call("a", attempt=2)), 4.0)
    core.handle(Tick(), 6.0)
    assert "run/a" in core.pools["m"].placed
    core.handle(Tick(), 10.0)
    assert "run/a" not in core.pools["m"].placed


def test_the_prefixes_of_a_replica_have_a_bound_and_the_latest_stay() -> None:
    core = router(max_prefixes=3)
    core.handle(worker("w0"), 0.0)
    core.handle(Offered(call("a", prefix_hashes=(1, 2, 3))), 0.0)
    core.handle(Offered(call("b", prefix_hashes=(1, 4))), 0.0)
    assert list(core.pools["m"].replicas["w0"].prefixes) == [3, 1, 4]


def test_calls_are_predicted_by_the_profile_in_force() -> None:
    core = router()
    pace = core.pools["m"].pace
    before_s = pace.predicted_s(call("a"), 100)
    core.handle(ProfileChanged(replace(PROFILE, step_base_s=2 * PROFILE.step_base_s)), 0.0)
    assert pace.predicted_s(call("a"), 100) > 1.8 * before_s
    pace.observe(replace(call("a"), prompt_tokens=100_000), 10)
    assert pace.predicted_s(call("a"), 100) > 1.8 * before_s


def test_the_queue_has_a_bound() -> None:
    core = router(queue_limit=1)
    core.handle(Offered(call("a")), 0.0)
    (rejected,) = core.handle(Offered(call("b")), 0.0)
    assert isinstance(rejected, Reject)
    assert rejected.outcome is Outcome.REJECTED_CAPACITY
    assert "1 calls" in rejected.reason


def test_an_unknown_model_is_refused() -> None:
    (rejected,) = router().handle(Offered(call("a", model="x")), 0.0)
    assert isinstance(rejected, Reject)
    assert rejected.outcome is Outcome.NO_WORKERS


def test_a_withdrawn_call_is_never_placed() -> None:
    core = router()
    core.handle(Offered(call("a")), 0.0)
    core.handle(Withdrawn("run/a", 1), 0.0)
    assert core.handle(worker("w0"), 1.0) == []


def test_a_vanished_gateway_takes_its_waiting_calls_along() -> None:
    core = router()
    core.handle(Offered(call("a")), 0.0)
    core.handle(Offered(call("b", gateway_id="other")), 0.0)
    core.handle(GatewayLeft("g"), 0.0)
    assert assigned(core.handle(worker("w0"), 1.0)) == ["run/b"]


def test_a_reservation_ends_by_a_later_snapshot_without_the_call() -> None:
    core = router()
    core.handle(worker("w0", seats=1), 0.0)
    core.handle(Offered(call("a")), 0.0)
    core.handle(Offered(call("b")), 0.0)
    held = ResidentCall("run/a", 1, 1, 3, 10, True)
    assert core.handle(worker("w0", calls=(held,), sequence=2, seats=1), 0.1) == []
    assert assigned(core.handle(worker("w0", sequence=3, seats=1), 0.2)) == ["run/b"]


def test_an_unconfirmed_reservation_ends_at_its_expiry() -> None:
    core = router(reservation_ttl_s=5.0)
    core.handle(worker("w0", seats=1), 0.0)
    core.handle(Offered(call("a")), 0.0)
    core.handle(Offered(call("b")), 0.0)
    assert core.handle(Tick(), 4.9) == []
    assert assigned(core.handle(Tick(), 5.1)) == ["run/b"]


def test_a_lost_worker_frees_its_reservations_and_a_new_attempt_is_placed_elsewhere() -> None:
    core = router()
    core.handle(worker("w0"), 0.0)
    core.handle(Offered(call("a")), 0.0)
    core.handle(WorkerLost("w0"), 0.1)
    core.handle(Offered(call("a", attempt=2)), 0.1)
    (action,) = core.handle(worker("w1"), 0.2)
    assert isinstance(action, Assign)
    assert (action.worker_id, action.call.attempt) == ("w1", 2)


def test_an_old_snapshot_is_ignored() -> None:
    core = router()
    core.handle(worker("w0", sequence=5), 0.0)
    core.handle(worker("w0", ReplicaState.DRAINING, sequence=4), 0.1)
    assert assigned(core.handle(Offered(call("a")), 0.2)) == ["run/a"]


def test_an_urgent_call_takes_the_emptier_replica_and_one_with_time_the_busier() -> None:
    core = router()
    core.handle(worker("w0", seats=2), 0.0)
    core.handle(worker("w1", seats=2), 0.0)
    core.handle(Offered(call("first", latest_finish=50.0, lost_finish=50.0, deadline=50.0)), 0.0)
    (relaxed,) = core.handle(Offered(call("relaxed", latest_finish=50.0, lost_finish=50.0, deadline=50.0)), 0.0)
    assert isinstance(relaxed, Assign)
    busy = relaxed.worker_id
    tight = core.pools["m"].pace.predicted_s(call("x"), 10) * 0.9
    (urgent,) = core.handle(Offered(call("urgent", latest_finish=tight, lost_finish=50.0, deadline=50.0)), 0.0)
    assert isinstance(urgent, Assign)
    assert urgent.worker_id != busy


@pytest.mark.parametrize("routing", ["round_robin", "least_loaded", "slack_aware"])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_reservations_never_exceed_the_places_and_no_call_is_placed_twice(routing: str, seed: int) -> None:
    rng = random.Random(seed)
    core = router(routing=routing, queue_limit=50)
    placed: dict[str, str] = {}
    now, sequence = 0.0, 1
    for number in range(120):
        now += rng.random() * 0.05
        actions: list[RouterAction] = []
        match rng.randrange(4):
            case 0:
                sequence += 1
                state = rng.choice(list(ReplicaState))
                name = rng.choice(["w0", "w1", "w2"])
                held = tuple(ResidentCall(key, 1, 1, 1, 10, True) for key, at in placed.items() if at == name)
                actions = list(core.handle(worker(name, state, held, sequence, seats=3, lookahead=1), now))
            case 1 if placed:
                key = rng.choice(list(placed))
                del placed[key]
                actions = list(core.handle(Released(key, 1, rng.randrange(1, 20)), now))
            case _:
                deadline = now + rng.random()
                offered = call(
                    str(number), latest_finish=deadline, lost_finish=deadline, deadline=deadline, ready_at=now
                )
                actions = list(core.handle(Offered(offered), now))
        for action in actions:
            if isinstance(action, Assign):
                assert action.call.call_id not in placed
                placed[action.call.call_id] = action.worker_id
        for load in core.pools["m"].replicas.values():
            assert load.num_placed <= load.max_num_seqs + load.lookahead


def test_a_replica_set_aside_counts_as_one_on_its_way() -> None:
    core = router()
    core.handle(worker("w0", reserved=True), 0.0)
    (pool,) = core.pool_states(0.0)
    assert (pool.num_replicas, pool.num_starting, pool.ready_in_s) == (0, 1, 0.0)
