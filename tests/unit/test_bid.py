"""Which newcomers are too dear for a pool that cannot serve everybody."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from catenary.core.gateway.scarcity import ENOUGH, Scarcity
from catenary.policy.admission.bid import Ask, too_dear
from catenary.policy.ordering.standing import Standing

MIXED = [Ask(1.0)] * 5 + [Ask(3.0)] * 5
OVER = Standing(over_share=True)
works = st.lists(st.floats(0.01, 10.0), min_size=1, max_size=40)


def arriving(per_s: float, seconds: float, asks: list[Ask]) -> Scarcity:
    scarcity = Scarcity()
    for number in range(round(per_s * seconds)):
        scarcity.arrived("m", asks[number % len(asks)], number / per_s)
    return scarcity


def turned_away(scarcity: Scarcity, ask: Ask, engines: float, now: float, model: str = "m") -> bool:
    excess = scarcity.excess(model, engines, now)
    return excess > 0 and scarcity.turns_away(model, ask, excess)


def test_the_dear_half_is_refused_where_engines_can_do_the_work_of_the_cheap_half() -> None:
    assert too_dear(Ask(3.0), MIXED, 0.3)
    assert not too_dear(Ask(1.0), MIXED, 0.3)


def test_nobody_is_too_dear_where_engines_can_do_all() -> None:
    assert not too_dear(Ask(9.0), MIXED, 1.01)


def test_nobody_is_too_dear_where_all_ask_for_about_the_same() -> None:
    assert not too_dear(Ask(1.1), [Ask(1.0 + number / 100) for number in range(10)], 0.5)


def test_tenants_over_their_share_are_refused_first_however_little_they_ask_for() -> None:
    latest = [Ask(1.0)] * 5 + [Ask(0.5, OVER)] * 5
    assert too_dear(Ask(0.5, OVER), latest, 0.6)
    assert not too_dear(Ask(2.0), latest, 0.8)


def test_who_has_missed_most_of_its_budget_is_cheaper_than_the_same_work_with_all_of_it_left() -> None:
    poor, rich = (Standing(error_budget=left, holder=("t", name, "s")) for left, name in ((0.0, "a"), (1.0, "b")))
    latest = [Ask(1.0, poor), Ask(1.0, rich)] * 5
    assert too_dear(Ask(1.0, rich), latest, 0.4)
    assert not too_dear(Ask(1.0, poor), latest, 0.4)


@given(
    works.flatmap(lambda latest: st.tuples(st.just(latest), st.permutations(latest))),
    st.floats(0.01, 1.5),
    st.floats(0.01, 10.0),
    st.floats(1.0, 3.0),
)
def test_who_asks_for_more_is_never_let_in_before_who_asks_for_less(
    orders: tuple[list[float], list[float]], share: float, work_s: float, more: float
) -> None:
    asks, shuffled = ([Ask(work) for work in order] for order in orders)
    refused = too_dear(Ask(work_s), asks, share)
    assert too_dear(Ask(work_s * more), asks, share) >= refused
    assert too_dear(Ask(work_s), shuffled, share) == refused


def test_a_pool_is_scarce_where_arrivals_ask_for_more_than_its_engines_do() -> None:
    scarcity = arriving(10.0, 20.0, [Ask(0.1), Ask(0.3)])
    assert turned_away(scarcity, Ask(0.3), 1.0, 20.0)
    assert not turned_away(scarcity, Ask(0.1), 1.0, 20.0)
    assert not turned_away(scarcity, Ask(0.3), 2.1, 20.0)
    assert not turned_away(scarcity, Ask(0.3), 1.0, 20.0, "other")


def test_what_may_be_chance_makes_no_pool_scarce() -> None:
    few = arriving(4.0, 5.0, [Ask(0.2), Ask(0.4)])
    many = arriving(40.0, 20.0, [Ask(0.02), Ask(0.04)])
    assert not turned_away(few, Ask(0.4), 1.05, 5.0)
    assert turned_away(many, Ask(0.04), 1.05, 20.0)


def test_a_pool_that_has_seen_few_runs_is_not_scarce() -> None:
    scarcity = arriving(100.0, (ENOUGH - 1) / 100, [Ask(5.0)])
    assert not turned_away(scarcity, Ask(50.0), 1.0, 0.2)


def test_a_crowd_that_is_over_is_forgotten() -> None:
    scarcity = arriving(20.0, 10.0, [Ask(0.1), Ask(0.3)])
    assert turned_away(scarcity, Ask(0.3), 1.0, 10.0)
    for number in range(20):
        scarcity.arrived("m", Ask(0.2), 20.0 + number / 2)
    assert not turned_away(scarcity, Ask(0.3), 1.0, 30.0)
