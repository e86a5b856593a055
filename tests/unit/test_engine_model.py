"""The emulated engine: exact times by hand, order, KV bound, aborts, chunks, pauses and a brute-force reference."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catenary.model.profile import EngineProfile
from catenary.simulation.engine import EngineModel
from catenary.simulation.sequence import FinishedCall

A, B, C, D = 0.002, 0.00002, 0.005, 0.0001
PROFILE = EngineProfile(
    model="a", prefill_base_s=A, prefill_token_s=B, step_base_s=C, step_seq_s=D, step_context_s=0.0, max_num_seqs=16
)
ZERO = replace(PROFILE, prefill_base_s=0.0, prefill_token_s=0.0, step_base_s=0.0, step_seq_s=0.0)


def run_to_end(engine: EngineModel, now: float = 0.0) -> dict[object, FinishedCall]:
    finished: dict[object, FinishedCall] = {}
    while (at := engine.next_event(now)) is not None:
        now = max(now, at)
        for call in engine.advance(now).finished:
            finished[call.call_id] = call
    return finished


def test_a_lone_call_takes_its_prefill_and_one_iteration_a_token() -> None:
    engine = EngineModel(PROFILE)
    engine.submit("x", 256, 10, 0, 5.0)
    call = run_to_end(engine, 5.0)["x"]
    first = A + 256 * B + C + D
    assert call.ttft_s == pytest.approx(first)
    assert call.duration_s == pytest.approx(first + 9 * (C + D))
    assert call.queue_s == 0
    assert call.mean_batch == 1
    assert call.output_tokens == 10


def test_calls_submitted_together_are_admitted_to_one_iteration() -> None:
    engine = EngineModel(PROFILE)
    engine.submit("x", 100, 2, 0, 0.0)
    engine.submit("y", 300, 3, 0, 0.0)
    calls = run_to_end(engine)
    first = 2 * A + 400 * B + C + 2 * D
    assert calls["x"].ttft_s == calls["y"].ttft_s == pytest.approx(first)
    assert calls["x"].duration_s == pytest.approx(first + C + 2 * D)
    assert calls["y"].duration_s == pytest.approx(first + C + 2 * D + C + D)
    assert calls["y"].mean_batch == pytest.approx(5 / 3)


def test_an_arrival_waits_for_the_end_of_the_iteration_and_slows_it_for_all() -> None:
    engine = EngineModel(PROFILE)
    engine.submit("x", 100, 3, 0, 0.0)
    engine.advance(0.0)
    engine.submit("y", 50, 1, 0, 0.001)
    calls = run_to_end(engine)
    first = A + 100 * B + C + D
    second = first + A + 50 * B + C + 2 * D
    assert calls["y"].queue_s == pytest.approx(first - 0.001)
    assert calls["y"].duration_s == pytest.approx(second - 0.001)
    assert calls["x"].duration_s == pytest.approx(second + C + D)


def test_waiting_calls_start_in_the_order_of_priority_then_arrival() -> None:
    engine = EngineModel(replace(PROFILE, max_num_seqs=1))
    for name, priority in (("a", 5), ("b", 9), ("c", 1), ("d", 1)):
        engine.submit(name, 10, 1, priority, 0.0)
    calls = run_to_end(engine)
    assert sorted(calls, key=lambda name: calls[name].finish_s) == ["c", "d", "a", "b"]


def test_a_free_seat_is_taken_at_the_start_of_the_next_iteration() -> None:
    engine = EngineModel(replace(PROFILE, max_num_seqs=1))
    engine.submit("x", 10, 2, 0, 0.0)
    engine.submit("y", 10, 1, 0, 0.0)
    calls = run_to_end(engine)
    assert calls["y"].queue_s == pytest.approx(calls["x"].duration_s)


def test_admission_waits_until_the_kv_cache_has_room() -> None:
    engine = EngineModel(replace(PROFILE, kv_capacity_tokens=100))
    engine.submit("x", 50, 10, 0, 0.0)
    engine.submit("y", 35, 10, 0, 0.0)
    engine.advance(0.0)
    assert (engine.num_running, engine.num_waiting) == (1, 1)
    assert engine.kv_cache_usage == pytest.approx(0.5)
    calls = run_to_end(engine)
    assert calls["y"].queue_s == pytest.approx(calls["x"].duration_s)
    assert engine.kv_cache_usage == 0


def test_a_call_larger_than_the_kv_cache_is_refused_with_both_figures() -> None:
    engine = EngineModel(replace(PROFILE, kv_capacity_tokens=100))
    with pytest.raises(ValueError, match=r"needs 111 tokens .* has 100"):
        engine.submit("x", 100, 11, 0, 0.0)


def test_an_aborted_call_leaves_at_once_and_its_seat_is_free_from_the_next_iteration() -> None:
    engine = EngineModel(replace(PROFILE, max_num_seqs=1))
    engine.submit("x", 100, 50, 0, 0.0)
    engine.submit("y", 100, 1, 0, 0.0)
    engine.advance(0.0)
    first = A + 100 * B + C + D
    aborted = engine.abort("x", first + 2.5 * (C + D))
    assert aborted is not None
    assert aborted.aborted
    assert aborted.output_tokens == 3
    calls = run_to_end(engine)
    assert calls["y"].queue_s == pytest.approx(first + 3 * (C + D))
    assert engine.abort("x", 1.0) is None
    assert engine.kv_cache_usage == 0


def test_aborting_everything_leaves_an_idle_engine_that_takes_new_calls() -> None:
    engine = EngineModel(replace(PROFILE, max_num_seqs=1))
    engine.submit("x", 100, 50, 0, 0.0)
    engine.submit("y", 100, 50, 0, 0.0)
    engine.advance(0.01)
    engine.abort("y", 0.011)
    engine.abort("x", 0.011)
    assert run_to_end(engine) == {}
    engine.submit("z", 100, 1, 0, 1.0)
    assert run_to_end(engine, 1.0)["z"].duration_s == pytest.approx(A + 100 * B + C + D)


def test_a_zero_time_engine_finishes_at_the_moment_of_submission() -> None:
    engine = EngineModel(ZERO)
    engine.submit("x", 100, 400, 0, 2.0)
    assert engine.next_event(2.0) == 2.0
    call = engine.advance(2.0).finished[0]
    assert (call.duration_s, call.ttft_s, call.output_tokens) == (0.0, 0.0, 400)
    assert engine.next_event(2.0) is None


def test_context_tokens_slow_the_steps_one_by_one() -> None:
    e = 1e-6
    engine = EngineModel(replace(PROFILE, step_context_s=e))
    engine.submit("x", 100, 4, 0, 0.0)
    call = run_to_end(engine)["x"]
    assert call.duration_s == pytest.approx(A + 100 * B + 4 * (C + D) + e * (100 + 101 + 102 + 103))


def test_the_quadratic_term_counts_whole_prompts() -> None:
    engine = EngineModel(replace(PROFILE, prefill_token2_s=1e-8))
    engine.submit("x", 1000, 1, 0, 0.0)
    assert run_to_end(engine)["x"].duration_s == pytest.approx(A + 1000 * B + 1e-8 * 1000**2 + C + D)


def test_chunks_spread_a_long_prompt_and_leave_the_total_prefill_unchanged() -> None:
    profile = replace(PROFILE, prefill_token2_s=1e-8)
    engine = EngineModel(profile, chunk_tokens=100)
    engine.submit("x", 250, 2, 0, 0.0)
    call = run_to_end(engine)["x"]
    assert call.ttft_s == pytest.approx(A + 250 * B + 1e-8 * 250**2 + 3 * (C + D))
    assert call.duration_s == pytest.approx(call.ttft_s + C + D)


def test_decoding_calls_go_on_while_a_long_prompt_is_chunked() -> None:
    engine = EngineModel(PROFILE, chunk_tokens=64)
    engine.submit("x", 10, 50, 0, 0.0)
    engine.advance(0.02)
    engine.submit("y", 630, 1, 0, 0.02)
    calls = run_to_end(engine, 0.02)
    whole = EngineModel(PROFILE)
    whole.submit("x", 10, 50, 0, 0.0)
    whole.advance(0.02)
    whole.submit("y", 630, 1, 0, 0.02)
    assert calls["y"].ttft_s > run_to_end(whole, 0.02)["y"].ttft_s
    assert calls["y"].mean_batch == 2


def test_chunks_smaller_than_the_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="chunk_tokens is 8"):
        EngineModel(PROFILE, chunk_tokens=8)


def test_a_late_timer_does_not_slow_the_engine() -> None:
    late, prompt = EngineModel(PROFILE), EngineModel(PROFILE)
    for engine in (late, prompt):
        engine.submit("x", 100, 20, 0, 0.0)
        engine.submit("y", 100, 30, 0, 0.0)
    expected = run_to_end(prompt)
    assert {call.call_id: call for call in late.advance(100.0).finished} == expected


def test_a_pause_moves_every_later_end_by_the_time_away() -> None:
    engine = EngineModel(PROFILE)
    engine.submit("x", 100, 10, 0, 0.0)
    engine.advance(0.02)
    engine.pause(0.02)
    assert engine.next_event(5.0) is None
    engine.resume(3.02)
    call = run_to_end(engine, 3.02)["x"]
    assert call.duration_s == pytest.approx(A + 100 * B + 10 * (C + D) + 3.0)


def test_progress_counts_tokens_step_by_step() -> None:
    engine = EngineModel(PROFILE)
    engine.submit("x", 100, 10, 0, 0.0)
    engine.advance(0.0)
    seen = []
    now = 0.0
    while (at := engine.next_step(now)) is not None:
        now = at
        if engine.advance(now).finished:
            break
        seen.append(dict(engine.progress())["x"])
    assert seen == list(range(1, 10))


def brute_force(profile: EngineProfile, calls: list[tuple[float, int, int, int]]) -> dict[int, tuple[float, float]]:
    """The same engine, one iteration and one token at a time: call -> (first token, end)."""
    pending = sorted(range(len(calls)), key=lambda i: calls[i][0])
    waiting: list[int] = []
    running: dict[int, int] = {}
    first: dict[int, float] = {}
    ends: dict[int, tuple[float, float]] = {}
    now = 0.0
    while pending or waiting or running:
        if not waiting and not running:
            now = max(now, calls[pending[0]][0])
        while pending and calls[pending[0]][0] <= now:
            waiting.append(pending.pop(0))
        waiting.sort(key=lambda i: calls[i][3])
        duration = 0.0
        while waiting and len(running) < profile.max_num_seqs:
            call = waiting.pop(0)
            running[call] = 0
            duration += profile.prefill_s(calls[call][1])
        context = sum(calls[call][1] + tokens for call, tokens in running.items())
        now += duration + profile.step_s(len(running), context)
        for call in list(running):
            running[call] += 1
            first.setdefault(call, now)
            if running[call] == calls[call][2]:
                ends[call] = (first[call], now)
                del running[call]
    return ends


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), seats=st.integers(1, 6), context=st.booleans(), poll=st.booleans())
def test_segments_give_the_times_of_a_step_by_step_engine(seed: int, seats: int, context: bool, poll: bool) -> None:
    rng = random.Random(seed)
    profile = replace(PROFILE, max_num_seqs=seats, step_context_s=1e-6 if context else 0.0)
    calls = [(rng.uniform(0, 1), rng.randint(1, 300), rng.randint(1, 40), rng.randint(0, 3)) for _ in range(25)]
    expected = brute_force(profile, calls)
    engine = EngineModel(profile)
    finished: dict[object, FinishedCall] = {}
    for index in sorted(range(len(calls)), key=lambda i: calls[i][0]):
        at, prompt, output, priority = calls[index]
        while poll and (event := engine.next_event(at)) is not None and event < at:
            finished.update({call.call_id: call for call in engine.advance(event).finished})
        engine.submit(index, prompt, output, priority, at)
    finished.update(
        {call.call_id: call for call in engine.advance(math.inf).finished} if not poll else run_to_end(engine)
    )
    for index, (first, end) in expected.items():
        call = finished[index]
        assert call.finish_s == pytest.approx(end, abs=1e-9)
        assert calls[index][0] + call.ttft_s == pytest.approx(first, abs=1e-9)
