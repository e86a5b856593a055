"""Who is left out of a queue, and when nobody is."""

from __future__ import annotations

from catenary.core.router import Assign, Offered, RouterCore, RouterSettings
from catenary.core.router.arrivals import WINDOW_S, Arrivals
from catenary.core.router.events import Released, SnapshotArrived
from catenary.model.dispatch import QueuedCall
from catenary.model.lengths import LengthEstimate
from catenary.model.profile import EngineProfile
from catenary.model.worker import Replica, ReplicaState, Worker
from catenary.policy.ordering.standing import EQUAL, Standing
from catenary.policy.ordering.triage import Claim, keep
from catenary.policy.span import Span


def claim(name: str, latest_start: float, spread_s: float = 1.0, standing: Standing = EQUAL) -> Claim:
    """Work of 1 s; its latest start leaves two standard deviations of what remains."""
    return Claim(name, Span(2.0, spread_s**2), latest_start + 2.0 + 2 * spread_s, latest_start, 1.0, standing=standing)


def names(claims: list[Claim], *, spare: bool) -> list[str]:
    return [claim.name for claim in keep(claims, 1, 0.0, spare=lambda: spare)]


def test_who_is_likely_to_be_in_time_all_the_same_is_spared() -> None:
    queue = [claim("a", 0.0), claim("b", 0.9), claim("c", 1.8)]
    assert len(names(queue, spare=False)) == 2
    assert names(queue, spare=True) == ["a", "b", "c"]


def test_nobody_is_spared_where_that_costs_more_than_it_saves() -> None:
    queue = [claim(f"run-{number}", 0.9 * number, spread_s=0.05) for number in range(5)]
    assert len(names(queue, spare=True)) == 4


def test_nobody_is_spared_where_a_tenant_is_over_its_share() -> None:
    queue = [claim("a", 0.0), claim("over", 0.9, standing=Standing(over_share=True)), claim("c", 1.8)]
    assert names(queue, spare=True) == ["a", "c"]


def test_arrivals_are_counted_in_engines_that_they_keep_busy_and_fade() -> None:
    arrivals = Arrivals()
    for number in range(1000):
        arrivals.asked(0.3, 0.1 * number)
    assert 2.9 < arrivals.engines(100.0) < 3.1
    assert arrivals.engines(100.0 + 5 * WINDOW_S) < 0.05


def call(name: str, deadline: float, mean_tokens: float) -> QueuedCall:
    length = LengthEstimate(0.5 * mean_tokens, mean_tokens, 1.5 * mean_tokens, mean_tokens)
    return QueuedCall(name, 1, "g", "m", 10, 400, length, 0.0, deadline, deadline, deadline)


def placed_first(num_before: int) -> str:
    """Of two calls, a short one and one twice as long that waits a little behind its latest start, on an engine with
    one seat after so many calls have come and gone."""
    core = RouterCore(RouterSettings(protect=False), {"m": EngineProfile("m", step_base_s=0.01, max_num_seqs=1)})
    core.handle(SnapshotArrived(Worker("w0", "w0:1", 1, (Replica("m", ReplicaState.AWAKE, 1, 1),), sequence=1)), 0.0)
    for number in range(num_before):
        core.handle(Offered(call(f"before-{number}", 1e6, 100)), 0.0)
        core.handle(Released(f"before-{number}", 1, 0), 0.0)
    assert isinstance(core.handle(Offered(call("running", 1e6, 100)), 0.0)[0], Assign)
    core.handle(Offered(call("long", 2.9, 200)), 0.0)
    core.handle(Offered(call("short", 3.1, 100)), 0.0)
    [assigned] = core.handle(Released("running", 1, 0), 0.0)
    assert isinstance(assigned, Assign)
    return assigned.call.call_id


def test_the_router_leaves_out_the_dear_only_where_more_comes_than_engines_can_do() -> None:
    assert placed_first(num_before=0) == "long"
    assert placed_first(num_before=40) == "short"
