"""A router that takes over counts what its predecessor placed, and a former owner's offers do not displace new ones."""

from __future__ import annotations

from collections.abc import Sequence

from test_router_core import PROFILE, call, worker

from catenary.core.router import Assign, Offered, RouterAction, RouterCore, RouterSettings, Withdrawn
from catenary.model.worker import ResidentCall


def resident(name: str, router_epoch: int) -> ResidentCall:
    return ResidentCall(f"run/{name}", 1, router_epoch, 3, 10, True)


def router(epoch: int = 2) -> RouterCore:
    return RouterCore(RouterSettings(epoch=epoch), {"m": PROFILE})


def placed(actions: Sequence[RouterAction]) -> list[str]:
    return [action.call.call_id for action in actions if isinstance(action, Assign)]


def test_seats_that_calls_of_the_former_router_hold_are_not_given_again() -> None:
    core = router()
    core.handle(worker("w0", calls=(resident("x", 1), resident("y", 1))), 0.0)
    assert placed(core.handle(Offered(call("a")), 0.0)) == []
    assert placed(core.handle(worker("w0", calls=(resident("y", 1),), sequence=2), 0.1)) == ["run/a"]
    assert placed(core.handle(Offered(call("b")), 0.1)) == []
    assert placed(core.handle(worker("w0", calls=(), sequence=3), 0.2)) == ["run/b"]


def test_a_call_of_its_own_that_was_just_released_counts_no_more() -> None:
    core = router()
    core.handle(worker("w0", calls=(resident("x", 2), resident("y", 2))), 0.0)
    assert placed(core.handle(Offered(call("a")), 0.0)) == ["run/a"]


def test_an_older_attempt_does_not_displace_a_newer_one_that_waits() -> None:
    core = router()
    core.handle(Offered(call("a", attempt=1001, gateway_id="new")), 0.0)
    core.handle(Offered(call("a", attempt=2, gateway_id="old")), 0.0)
    core.handle(Withdrawn("run/a", 2), 0.0)
    (assigned,) = core.handle(worker("w0"), 0.1)
    assert isinstance(assigned, Assign)
    assert (assigned.call.attempt, assigned.call.gateway_id) == (1001, "new")
