"""Which attempt of a call the router heeds, when offers, withdrawals and releases overtake each other."""

from __future__ import annotations

from test_router_core import assigned, call, router, worker

from catenary.core.router import Offered, Reject, Released, RouterCore, Tick, Withdrawn
from catenary.model.outcome import Outcome
from catenary.model.worker import ResidentCall


def with_one_seat(**settings: object) -> RouterCore:
    core = router(**settings)
    core.handle(worker("w0", seats=1), 0.0)
    return core


def test_an_attempt_that_is_placed_is_not_placed_again_and_a_newer_one_takes_its_place() -> None:
    core = with_one_seat()
    assert assigned(core.handle(Offered(call("a")), 0.0)) == ["run/a"]
    assert core.handle(Offered(call("a")), 0.1) == []
    assert assigned(core.handle(Offered(call("a", attempt=2)), 0.2)) == ["run/a"]


def test_the_release_of_an_older_attempt_frees_no_seat() -> None:
    core = with_one_seat()
    core.handle(Offered(call("a", attempt=2)), 0.0)
    core.handle(Offered(call("b")), 0.0)
    assert core.handle(Released("run/a", 1, 5), 0.1) == []
    assert assigned(core.handle(Released("run/a", 2, 5), 0.2)) == ["run/b"]


def test_the_withdrawal_of_an_older_attempt_leaves_the_newer_one_waiting() -> None:
    core = router()
    core.handle(Offered(call("a", attempt=2)), 0.0)
    core.handle(Withdrawn("run/a", 1), 0.1)
    assert assigned(core.handle(worker("w0"), 0.2)) == ["run/a"]


def test_a_call_that_waits_in_a_full_queue_may_be_offered_again() -> None:
    core = router(queue_limit=1)
    core.handle(Offered(call("a")), 0.0)
    assert core.handle(Offered(call("a", attempt=2)), 0.1) == []
    [refused] = core.handle(Offered(call("b")), 0.1)
    assert isinstance(refused, Reject)
    assert refused.outcome is Outcome.REJECTED_CAPACITY


def test_a_call_offered_again_with_more_time_is_not_lost_when_its_first_offer_would_be() -> None:
    core = router()
    core.handle(Offered(call("a", latest_finish=2.0, lost_finish=2.0, deadline=2.0)), 0.0)
    core.handle(Offered(call("a", attempt=2, latest_finish=9.0, lost_finish=9.0, deadline=9.0)), 0.1)
    assert core.handle(Tick(), 5.0) == []
    assert assigned(core.handle(worker("w0"), 5.1)) == ["run/a"]


def test_a_snapshot_with_an_older_attempt_says_nothing_of_the_one_that_is_placed() -> None:
    core = with_one_seat()
    core.handle(Offered(call("a", attempt=2)), 0.0)
    older = ResidentCall("run/a", 1, 0, 3, 10, True)
    core.handle(worker("w0", seats=1, calls=(older,), sequence=2), 0.1)
    core.handle(worker("w0", seats=1, calls=(), sequence=3), 0.2)
    assert core.handle(Offered(call("b")), 0.3) == []
