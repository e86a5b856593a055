from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catenary.core.profile_grid import EngineBounds, plan_grid
from catenary.model.profile_point import PointKind


@given(st.integers(8, 100_000), st.integers(1, 1024), st.booleans())
@example(32, 4, True)
def test_each_point_is_within_the_engine_and_no_kind_is_missing(length: int, seats: int, quick: bool) -> None:
    bounds = EngineBounds(length, seats)
    points = plan_grid(bounds, quick)
    assert len(points) == len(set(points)) <= 130
    assert all(p.prompt_tokens >= 1 and p.output_tokens >= 1 for p in points)
    assert all(p.prompt_tokens + p.output_tokens <= length and p.batch <= seats for p in points)
    assert {PointKind.PREFILL, PointKind.DECODE} <= {p.kind for p in points}
    assert max(p.batch for p in points) == seats


@given(st.integers(64, 100_000))
def test_the_batch_never_holds_more_tokens_than_the_cache(capacity: int) -> None:
    points = plan_grid(EngineBounds(4096, 64, capacity), quick=False)
    together = [p for p in points if p.kind is not PointKind.JOINING]
    assert all((p.prompt_tokens + p.output_tokens) * p.batch <= capacity for p in together)


def test_the_quick_grid_is_a_small_part() -> None:
    bounds = EngineBounds(2048, 16)
    assert len(plan_grid(bounds, quick=True)) < len(plan_grid(bounds, quick=False)) / 2


def test_an_engine_too_short_to_measure_is_refused_with_the_bound() -> None:
    with pytest.raises(ValueError, match="max_model_len: 7 is below 8"):
        plan_grid(EngineBounds(7, 1), quick=True)


def test_prompts_that_arrive_together_fill_one_iteration_at_most_or_exactly_two_or_four() -> None:
    points = plan_grid(EngineBounds(4096, 64, max_num_batched_tokens=1024), quick=False)
    tokens = [p.prompt_tokens * p.batch for p in points if p.kind is PointKind.MIXED]
    assert sorted(n for n in tokens if n > 1024) == [2048, 4096]


def test_prompts_join_a_batch_where_engine_and_cache_have_room_for_both() -> None:
    def joining(bounds: EngineBounds) -> list[int]:
        return [p.prompt_tokens for p in plan_grid(bounds, quick=False) if p.kind is PointKind.JOINING]

    assert max(joining(EngineBounds(4096, 64, max_num_batched_tokens=1024))) == 640
    assert not joining(EngineBounds(4096, 1))
    assert not joining(EngineBounds(4096, 64, kv_capacity_tokens=2048))
    assert not joining(EngineBounds(100, 64))
