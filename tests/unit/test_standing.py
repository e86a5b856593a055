"""Who misses when somebody must: error budgets, tenants' shares, and what triage makes of them."""

from __future__ import annotations

import pytest

from catenary.model.backlog import WorkflowEnds
from catenary.policy.ordering.standing import (
    MAX_KEYS,
    MAX_TOLD,
    OVERDRAWN,
    WINDOW_RUNS,
    ErrorBudgets,
    Standing,
    TenantShares,
)
from catenary.policy.ordering.triage import Claim, keep, room_s
from catenary.policy.span import Span


def claim(name: str, work_s: float = 1.0, latest_start: float = 0.5, **standing: float) -> Claim:
    stands = Standing(bool(standing.get("over_share", False)), standing.get("error_budget", 0.0))
    return Claim(name, Span(1.0, 0.01), latest_start + 1.0, latest_start, work_s, standing=stands)


def kept(*claims: Claim) -> set[str]:
    return {one.name for one in keep(claims, 1, 0.0)}


def test_the_dearest_misses_where_all_stand_alike() -> None:
    assert kept(claim("cheap"), claim("dear", work_s=1.1)) == {"cheap"}


def test_the_doubtful_misses_before_the_dear() -> None:
    doubtful = claim("doubtful", latest_start=-0.02)
    assert 0.3 < doubtful.chance(0.0) < 0.7
    assert kept(doubtful, claim("dear", work_s=1.1)) == {"dear"}


def test_who_has_error_budget_left_misses_before_who_has_none() -> None:
    assert kept(claim("spent", work_s=1.1), claim("untouched", error_budget=1.0)) == {"spent"}


def test_a_tenant_over_its_share_misses_first_whatever_it_costs() -> None:
    flood = claim("flood", work_s=0.6, latest_start=0.4, over_share=True)
    assert kept(claim("within", work_s=3.0), flood) == {"within"}


def test_a_critical_run_is_kept_before_others_that_ask_for_less() -> None:
    assert kept(claim("critical", work_s=3.0, error_budget=OVERDRAWN), claim("spent")) == {"critical"}
    assert kept(claim("huge", work_s=30.0, error_budget=OVERDRAWN), claim("spent")) == {"spent"}


def test_nobody_misses_for_its_standing_where_all_can_be_in_time() -> None:
    assert kept(claim("a", over_share=True), claim("b", latest_start=2.0)) == {"a", "b"}


def test_room_is_what_the_tightest_claim_can_still_wait() -> None:
    assert room_s([claim("a", latest_start=2.0), claim("b", latest_start=2.5)], 1, 0.0) == pytest.approx(1.5)
    assert room_s([], 1, 0.0) == float("inf")


def test_an_error_budget_is_what_attainment_leaves_of_the_window() -> None:
    budgets = ErrorBudgets()
    assert budgets.left("t", "w", 0.9) == 1.0
    for number in range(WINDOW_RUNS):
        budgets.observe("t", "w", met=number % 20 != 0)
    assert budgets.left("t", "w", 0.9) == pytest.approx(0.49, abs=0.02)
    assert budgets.left("t", "w", 0.99) == 0.0
    assert budgets.left("other", "w", 0.9) == 1.0


def test_an_error_budget_counts_what_other_gateways_saw() -> None:
    budgets, other = ErrorBudgets(), ErrorBudgets()
    for number in range(WINDOW_RUNS):
        budgets.observe("t", "w", met=True)
        other.observe("t", "w", met=number % 10 != 0)
    budgets.heard("gateway-1", other.told())
    assert budgets.left("t", "w", 0.9) == pytest.approx(0.49, abs=0.02)
    budgets.heard("gateway-1", ())
    assert budgets.left("t", "w", 0.9) == 1.0


def test_other_gateways_are_told_of_the_workflows_that_missed_most() -> None:
    budgets = ErrorBudgets()
    for index in range(MAX_TOLD + 1):
        budgets.observe("", f"missed-{index:03}", met=False)
    for _ in range(2):
        budgets.observe("", "twice", met=False)
    told = budgets.told()
    assert told[0] == WorkflowEnds("", "twice", ended=2, missed=2)
    assert [end.workflow for end in told[1:]] == [f"missed-{index:03}" for index in range(MAX_TOLD - 1)]


def test_what_ended_least_lately_is_forgotten_first() -> None:
    budgets = ErrorBudgets()
    for index in range(MAX_KEYS + 1):
        budgets.observe("", f"workflow-{index}", met=False)
    assert budgets.left("", "workflow-0", 0.9) == 1.0
    assert budgets.left("", "workflow-1", 0.9) < 1.0


def test_a_tenant_alone_is_never_over_its_share() -> None:
    shares = TenantShares({})
    shares.admit("a", 100.0, 0.0)
    assert not shares.over("a")
    assert not shares.over("unknown")


def test_shares_follow_the_weights_and_fade() -> None:
    shares = TenantShares({"a": 3.0})
    for tenant in ("a", "b"):
        shares.admit(tenant, 10.0, 0.0)
    assert not shares.over("a")
    assert shares.over("b")
    shares.admit("a", 50.0, 300.0)
    assert not shares.over("b")


def test_what_other_gateways_admitted_counts_until_they_are_gone() -> None:
    shares = TenantShares({})
    shares.admit("a", 10.0, 0.0)
    shares.admit("b", 10.0, 0.0)
    shares.heard("gateway-1", {"a": 20.0}, 0.0)
    assert shares.over("a")
    shares.heard("gateway-1", {}, 0.0)
    assert not shares.over("a")
    shares.heard("gateway-1", {}, 0.0)


def test_hours_without_a_neighbour_do_not_overflow() -> None:
    shares = TenantShares({})
    for now in range(0, 100_000, 20):
        shares.admit("a", 1.0, float(now))
    assert shares.used_s(100_000.0)["a"] < 10


def test_what_a_tenant_asked_for_lately_counts_more_than_what_it_asked_for_before() -> None:
    shares = TenantShares({})
    shares.admit("a", 10.0, 0.0)
    shares.admit("b", 5.0, 0.0)
    shares.admit("b", 4.0, 25.0)
    assert shares.over("b")
    assert not shares.over("a")
