"""Whom a newcomer displaces from a queue, and where it is turned away."""

from __future__ import annotations

from catenary.policy.ordering.newcomer import gains, has_room
from catenary.policy.ordering.standing import EQUAL, Standing
from catenary.policy.ordering.triage import Claim
from catenary.policy.span import Span


def claim(name: str, latest_start: float, work_s: float = 1.0, standing: Standing = EQUAL) -> Claim:
    return Claim(name, Span(1.0, 0.01), latest_start + 1.0, latest_start, work_s, standing=standing)


def queue(runs: int, work_s: float = 1.0, standing: Standing = EQUAL) -> list[Claim]:
    return [claim(f"run-{number}", 1.2 * number, work_s, standing) for number in range(runs)]


def test_a_newcomer_enters_where_its_start_comes_in_time() -> None:
    assert has_room([claim("new", 4.8)], queue(4), 1, 0.0)
    assert not has_room([claim("new", 3.7)], queue(4), 1, 0.0)


def test_part_of_the_engines_is_kept_for_what_no_prediction_has() -> None:
    assert not has_room([claim("new", 4.1)], queue(4), 1, 0.0)


def test_an_urgent_newcomer_displaces_no_equal() -> None:
    full = [claim(f"run-{number}", 1.1 * number) for number in range(4)]
    assert not has_room([claim("new", 0.5)], full, 1, 0.0)


def test_a_much_shorter_newcomer_displaces_a_long_one() -> None:
    assert has_room([claim("new", 4.0, work_s=0.3)], [*queue(3), claim("long", 3.5, work_s=3.0)], 1, 0.0)


def test_every_call_of_a_newcomer_must_have_room() -> None:
    assert has_room([claim("new", 4.8), claim("new", 6.2)], queue(4), 1, 0.0)
    assert not has_room([claim("new", 4.8), claim("new", 5.0)], queue(4), 1, 0.0)


def test_those_who_are_late_anyway_keep_their_work_in_the_count() -> None:
    hopeless = [claim(f"run-{number}", 0.2 * number) for number in range(4)]
    assert has_room([claim("new", 4.8)], hopeless, 1, 0.0)
    assert not has_room([claim("new", 3.0)], hopeless, 1, 0.0)


def test_a_tenant_over_its_share_gives_way_and_displaces_nobody_within() -> None:
    over = Standing(over_share=True)
    assert has_room([claim("new", 3.7)], queue(4, standing=over), 1, 0.0)
    assert not has_room([claim("new", 3.7, 0.1, standing=over)], queue(4, work_s=1.1), 1, 0.0)


def test_budgets_weigh_between_holders_and_not_between_runs_of_one() -> None:
    spent = Standing(error_budget=0.0, holder=("", "mine", "standard"))
    earlier = Standing(error_budget=1.0, holder=("", "mine", "standard"))
    others = Standing(error_budget=1.0, holder=("", "theirs", "standard"))
    assert not has_room([claim("new", 3.7, standing=spent)], queue(4, standing=earlier), 1, 0.0)
    assert has_room([claim("new", 3.7, standing=spent)], queue(4, standing=others), 1, 0.0)


def roomy(name: str, latest_start: float, spread_s: float = 1.0) -> Claim:
    """Its latest start leaves two standard deviations of what remains."""
    return Claim(name, Span(2.0, spread_s**2), latest_start + 2.0 + 2 * spread_s, latest_start, 1.0)


def test_a_newcomer_that_is_likely_to_be_in_time_enters_where_that_costs_the_others_less() -> None:
    full = [roomy(f"run-{number}", 1.05 * number) for number in range(4)]
    assert not has_room([roomy("new", 3.7)], full, 1, 0.0)
    assert not has_room([roomy("new", 3.7)], full, 1, 0.0)
    assert gains([roomy("new", 3.7)], full, 1, 0.0)
    assert not gains([roomy("new", 3.7, spread_s=0.1)], full, 1, 0.0)


def test_a_newcomer_that_costs_several_others_their_time_is_turned_away() -> None:
    tight = [roomy(f"run-{number}", 1.08 * number, spread_s=0.1) for number in range(6)]
    assert not gains([roomy("new", 0.0)], tight, 1, 0.0)


def test_nobody_enters_by_chance_where_a_tenant_is_over_its_share() -> None:
    over = [roomy("over", 9.0), *(roomy(f"run-{number}", 1.05 * number) for number in range(4))]
    over[0] = Claim("over", over[0].remaining, 20.0, 9.0, 1.0, standing=Standing(over_share=True))
    assert not gains([roomy("new", 3.7)], over, 1, 0.0)
