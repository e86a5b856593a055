"""Which replica a call goes to, on loads made by hand."""

from __future__ import annotations

from test_router_core import PROFILE, assigned, call, router, worker

from catenary.core.router import Offered, Released
from catenary.model.dispatch import ReplicaLoad, Resident
from catenary.policy.prediction import Traffic
from catenary.policy.routing import RoutingContext, slack_aware
from catenary.policy.routing.slack_aware import residents_keep_time, seat_wait_s


def load(worker_id: str, *finishes: float, seats: int = 2, lookahead: int = 2, latest: float = 9.0) -> ReplicaLoad:
    residents = {
        f"r{n}": Resident(call(f"r{n}", latest_finish=latest), 30.0, finish) for n, finish in enumerate(finishes)
    }
    return ReplicaLoad(worker_id, f"{worker_id}:1", "m", seats, lookahead, residents=residents)


def context(now: float = 0.0) -> RoutingContext:
    return RoutingContext(now, PROFILE, Traffic(10.0, 10.0))


def test_a_warm_prefix_outweighs_the_order_of_the_workers_and_what_is_warm_behind_a_cold_block_does_not() -> None:
    replicas = [load("w0"), load("w1")]
    replicas[1].prefixes.update(dict.fromkeys((11, 12)))
    warm, cold = call("a", prefix_hashes=(11, 12, 13)), call("b", prefix_hashes=(13, 11, 12))
    assert slack_aware(warm, replicas, context()).worker_id == "w1"
    assert slack_aware(cold, replicas, context()).worker_id == "w0"


def test_a_call_beyond_the_seats_waits_for_as_many_ends_as_calls_wait_with_it() -> None:
    assert seat_wait_s(load("w0", 3.0), 1.0) == 0.0
    assert seat_wait_s(load("w0", 3.0, 5.0), 1.0) == 2.0
    assert seat_wait_s(load("w0", 3.0, 5.0, 7.0), 1.0) == 4.0


def test_a_newcomer_is_kept_from_a_replica_whose_resident_it_would_make_late() -> None:
    tight, easy = load("w0", 1.0, latest=1.0), load("w1", 1.0, 1.0, seats=4, latest=9.0)
    assert not residents_keep_time(call("a"), tight, context())
    assert residents_keep_time(call("a"), easy, context())
    assert slack_aware(call("a", latest_finish=9.0), [tight, easy], context()).worker_id == "w1"


def test_the_router_remembers_which_replica_has_seen_a_prefix() -> None:
    core = router()
    for name in ("w0", "w1"):
        core.handle(worker(name), 0.0)
    core.handle(Offered(call("other")), 0.0)
    [placed] = core.handle(Offered(call("a", prefix_hashes=(1, 2))), 0.0)
    assert getattr(placed, "worker_id", "") == "w1"
    for name in ("other", "a"):
        core.handle(Released(f"run/{name}", 1, 5), 1.0)
    [again] = core.handle(Offered(call("b", prefix_hashes=(1, 2))), 1.0)
    assert assigned([again]) == ["run/b"]
    assert getattr(again, "worker_id", "") == "w1"
