"""What gateways tell each other of the work that they have admitted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from catenary.core.gateway import demand as demand_module
from catenary.core.gateway.demand import Demand
from catenary.model.backlog import Backlog, BacklogBucket, WorkflowEnds
from catenary.model.dispatch import PoolState
from catenary.policy.ordering.triage import Claim
from catenary.policy.slack import PathCall
from catenary.policy.span import Span
from catenary.runtime.wire.backlog import backlog_from_proto, backlog_to_proto

BUSY = {"m": PoolState("m", num_replicas=1, num_seats=4, num_running=4, num_queued=1)}


def call(work_s: float = 1.0) -> PathCall:
    return PathCall("a", (), Span(1.0, 0.01), 1.0, "m", work_s)


def demand_of(runs: int, deadline: float = 5.0) -> Demand:
    demand = Demand(1.0, expect_s=4.0)
    for number in range(runs):
        demand.follow(f"run-{number}", deadline, [call()], 0.0)
    return demand


def test_backlogs_are_sums_by_pool_and_latest_start() -> None:
    demand = demand_of(3)
    demand.follow("late", 500.0, [call()], 0.0)
    near, far = demand.buckets(0.0)
    assert (near.model, near.num_runs) == ("m", 3)
    assert near.work_s == pytest.approx(3.0)
    assert near.latest_start_s == pytest.approx(4.0, abs=0.2)
    assert far.latest_start_s == pytest.approx(499.0, abs=1.0)


def test_a_run_is_crowded_out_by_what_another_gateway_has_admitted() -> None:
    demand, other = demand_of(1), demand_of(8)
    crowd(demand, 10)
    demand.follow("dear", 5.0, [call(1.2)], 0.0)
    assert demand.crowded_out("dear", BUSY, 0.0) is None
    demand.heard("gateway-1", other.buckets(0.0), 0.0)
    assert demand.crowded_out("dear", BUSY, 0.0) == "m"


def test_nobody_is_crowded_out_while_less_is_expected_than_engines_can_do() -> None:
    demand, other = demand_of(8), demand_of(3)
    demand.follow("dear", 5.0, [call(1.2)], 0.0)
    assert demand.crowded_out("dear", BUSY, 0.0) is None
    demand.heard("gateway-1", other.buckets(0.0), 0.0)
    assert demand.crowded_out("dear", BUSY, 0.0) is None


def crowd(gateway: Demand, runs: int) -> None:
    """Ten a second for a pool whose one engine does eight; every second one asks for three times the work."""
    for number in range(runs):
        gateway.follow(f"crowd-{number}", 1e3, [call(0.06 if number % 2 else 0.18)], number / 10)
        gateway.arrived(f"crowd-{number}", number / 10)
        gateway.forget(f"crowd-{number}")


def test_a_newcomer_is_too_dear_where_more_arrives_than_engines_do_unless_nothing_is_expected() -> None:
    demand, blind = Demand(1.0, expect_s=4.0), Demand(1.0, expect_s=0.0)
    for gateway in (demand, blind):
        crowd(gateway, 200)
        gateway.follow("dear", 21.5, [call(0.18)], 20.0)
        gateway.follow("cheap", 21.5, [call(0.06)], 20.0)
    assert demand.too_dear("dear", BUSY, 20.0) == "m"
    assert demand.too_dear("cheap", BUSY, 20.0) is None
    assert blind.too_dear("dear", BUSY, 20.0) is None


def test_nobody_is_too_dear_while_everybody_has_time_to_wait() -> None:
    demand = Demand(1.0, expect_s=4.0)
    crowd(demand, 200)
    demand.follow("dear", 30.0, [call(0.18)], 20.0)
    assert demand.too_dear("dear", BUSY, 20.0) is None
    demand.follow("urgent", 21.5, [call(0.06)], 20.0)
    assert demand.too_dear("dear", BUSY, 20.0) == "m"


def test_nobody_is_too_dear_for_a_pool_in_which_nobody_waits() -> None:
    demand = Demand(1.0, expect_s=4.0)
    crowd(demand, 200)
    demand.follow("dear", 21.5, [call(0.18)], 20.0)
    idle = {"m": PoolState("m", num_replicas=1, num_seats=4, num_running=3)}
    assert demand.too_dear("dear", idle, 20.0) is None


def test_a_gateway_has_the_part_of_the_engines_that_its_runs_have_of_all_work() -> None:
    demand, other = Demand(1.0, expect_s=4.0), demand_of(1)
    crowd(demand, 200)
    demand.follow("dear", 21.5, [call(0.18)], 20.0)
    two = {"m": PoolState("m", num_replicas=2, num_seats=4, num_running=4, num_queued=1)}
    assert demand.too_dear("dear", two, 20.0) is None
    demand.heard("gateway-1", other.buckets(0.0), 20.0)
    assert demand.too_dear("dear", two, 20.0) == "m"


def test_a_run_does_not_stand_in_its_own_way() -> None:
    demand = Demand(1.0, expect_s=4.0)
    demand.follow("new", 5.0, [call(4.5)], 0.0)
    assert demand.turned_away("new", BUSY, 0.0) is None
    demand.follow("other", 5.0, [call(4.5)], 0.0)
    assert demand.turned_away("new", BUSY, 0.0) == "m"


def test_calls_that_should_have_begun_are_told_together() -> None:
    demand = Demand(1.0, expect_s=4.0)
    for number in range(20):
        demand.follow(f"run-{number}", 1.0 + number, [call()], 0.0)
    (bucket,) = demand.buckets(60.0)
    assert bucket.num_runs == 20


def test_a_dear_run_with_time_is_crowded_out_by_runs_that_are_expected() -> None:
    demand = Demand(1.0, expect_s=4.0)
    for number in range(8):
        demand.follow(f"cheap-{number}", 3.0 + number / 2, [call(0.7)], number / 2)
        demand.arrived(f"cheap-{number}", number / 2)
        demand.placed(f"cheap-{number}", "m")
    demand.follow("dear", 9.0, [call(2.0)], 4.0)
    assert demand.crowded_out("dear", BUSY, 4.0) == "m"
    assert demand.crowded_out("dear", BUSY, 6.0) is None


def test_what_was_heard_of_a_gateway_is_replaced_and_expires() -> None:
    demand, other = demand_of(0), demand_of(8)
    demand.follow("dear", 9.0, [call(1.2)], 0.0)
    demand.heard("gateway-1", other.buckets(0.0), 0.0)
    demand.heard("gateway-1", (), 0.0)
    assert demand.crowded_out("dear", BUSY, 0.0) is None
    demand.heard("gateway-1", other.buckets(0.0), 0.0)
    assert demand.crowded_out("dear", BUSY, 3.0) is None


def test_however_many_runs_a_gateway_tells_of_few_claims_are_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    weighed: list[Sequence[Claim]] = []

    def room(own: Sequence[Claim], others: Sequence[Claim], num_replicas: int, now: float) -> bool:
        weighed.append(others)
        return True

    monkeypatch.setattr(demand_module, "has_room", room)
    demand = demand_of(1)
    demand.heard("gateway-1", [BacklogBucket("m", 4.0, 100_000, 500.0)], 0.0)
    demand.turned_away("run-0", BUSY, 0.0)
    (others,) = weighed
    assert len(others) <= 64
    assert sum(claim.work_s for claim in others) == pytest.approx(500.0)


def test_a_backlog_travels_unchanged() -> None:
    backlog = Backlog((BacklogBucket("m", 1.5, 3, 0.25, True),), {"t": 2.5}, (WorkflowEnds("t", "w", 9, 2),))
    assert backlog_from_proto(backlog_to_proto(backlog)) == backlog


def test_what_a_run_asks_of_a_model_later_counts_while_an_engine_has_its_first_call() -> None:
    demand = Demand(1.0, expect_s=4.0)
    demand.follow("chain", 9.0, [PathCall("a", ("b",), Span(1.0), 1.0, "m", 1.0), call(2.0)], 0.0)
    demand.follow("map", 9.0, [PathCall("a", (), Span(1.0), 1.0, "m", 3.0, calls=3)], 0.0)
    for run_id in ("chain", "map"):
        demand.placed(run_id, "m")
    assert sum(bucket.work_s for bucket in demand.buckets(0.0)) == pytest.approx(2.0 + 2.0)
    demand.placed("chain", "m")
    for left_s in (1.0, 0.0):
        demand.placed("map", "m")
        assert sum(bucket.work_s for bucket in demand.buckets(0.0)) == pytest.approx(left_s)


def test_what_need_not_begin_before_a_deadline_can_be_deferred_wherever_it_was_admitted() -> None:
    demand = demand_of(3, deadline=60.0)
    assert demand.deferrable("m", 2.0, 0.0) == 1.0
    assert demand.deferrable("m", 60.0, 0.0) == 0.0
    assert demand.deferrable("other", 2.0, 0.0) == 0.0
    demand.heard("gateway-1", [BacklogBucket("m", 1.0, 3, 3.0)], 0.0)
    assert demand.deferrable("m", 2.0, 0.0) == pytest.approx(0.5)
