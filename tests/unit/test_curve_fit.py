from __future__ import annotations

from dataclasses import replace

import pytest

from catenary.core.profile_grid import EngineBounds, plan_grid
from catenary.model.prefill_curve import seconds_at
from catenary.model.profile import EngineProfile
from catenary.model.profile_point import GridPoint, PointKind, ProfilePoint
from catenary.policy.curve_fit import burst_s, never_falling
from catenary.policy.profile_fit import fit_profile, predict_point_s
from catenary.runtime.wire.profile import ProfileError, profile_from_proto, profile_to_proto
from catenary.simulation.engine import EngineModel

CURVE = ((16.0, 0.004), (512.0, 0.004), (640.0, 0.010), (2048.0, 0.012), (4096.0, 0.022), (8192.0, 0.044))
DEVICE = EngineProfile(
    "m", step_base_s=0.002, step_seq_s=2e-5, max_num_seqs=256, overhead_s=0.001, submit_s=4e-4, prefill_curve=CURVE
)
GRID = plan_grid(EngineBounds(8192, 256, max_num_batched_tokens=8192), quick=False)


def measured(profile: EngineProfile) -> list[ProfilePoint]:
    return [ProfilePoint(point, predict_point_s(profile, point)) for point in GRID]


def test_a_curve_is_flat_before_its_first_point_and_goes_on_beyond_its_last() -> None:
    assert [seconds_at(CURVE, n) for n in (0, 1, 16, 576)] == pytest.approx([0, 0.004, 0.004, 0.007])
    assert seconds_at(CURVE, 12_288) == pytest.approx(0.066)
    assert seconds_at(((64.0, 0.005),), 1000) == 0.005


def test_a_device_with_a_least_time_per_prefill_is_fitted_by_a_curve() -> None:
    fit = fit_profile(EngineProfile("m"), measured(DEVICE))
    assert fit.profile.prefill_curve
    assert fit.residual_p95 < 0.05
    for tokens in (100, 1000, 3000):
        assert fit.profile.prefill_s(tokens) == pytest.approx(DEVICE.prefill_s(tokens), abs=0.0015)


def test_an_engine_whose_prompts_add_up_keeps_the_sum() -> None:
    fit = fit_profile(EngineProfile("m"), measured(EngineProfile("m", overhead_s=0.002)))
    assert fit.profile.prefill_curve == ()


def test_values_are_pooled_where_they_fall() -> None:
    assert never_falling([3.0, 1.0, 2.0, 5.0, 4.0]) == pytest.approx([2.0, 2.0, 2.0, 4.5, 4.5])


def test_the_engine_takes_a_burst_as_the_curve_says() -> None:
    engine = EngineModel(replace(DEVICE, submit_s=0.0), 8192)
    for number in range(8):
        engine.submit(number, 256, 1, number, 0.0)
    ends = [call.finish_s for call in engine.advance(10.0).finished]
    assert ends == pytest.approx([DEVICE.step_s(8) + seconds_at(CURVE, 2048)] * 8)


@pytest.mark.parametrize(("batch", "length"), [(2, 32), (32, 32), (256, 32), (16, 256), (32, 1024)])
def test_the_engine_and_the_fit_agree_on_a_burst(batch: int, length: int) -> None:
    device = replace(DEVICE, prefill_token2_s=1e-10)
    engine = EngineModel(device, 8192)
    for number in range(batch):
        engine.submit(number, length, 1, number, 0.0)
    last = max(call.finish_s for call in engine.advance(10.0).finished)
    point = GridPoint(PointKind.MIXED, length, 1, batch)
    assert burst_s(device, point, 8192) - device.overhead_s == pytest.approx(last, rel=0.01)


def test_a_call_that_is_aborted_on_its_way_into_the_engine_delays_nobody() -> None:
    engine = EngineModel(replace(DEVICE, submit_s=0.1))
    for call in "abc":
        engine.submit(call, 16, 1, 0, 0.0)
    engine.abort("b", 0.01)
    ends = {call.call_id: call.finish_s for call in engine.advance(1.0).finished}
    step = DEVICE.step_s(1) + 0.004
    assert ends == pytest.approx({"a": step, "c": 0.2 + step})
    assert engine.next_event(1.0) is None


def test_prompts_that_join_a_batch_tell_its_cost_from_that_of_waking_an_idle_engine() -> None:
    device = replace(DEVICE, overhead_s=0.008, prefill_token2_s=1.2e-10)
    points = [ProfilePoint(p, predict_point_s(device, p, 1, 8192)) for p in GRID]
    fit = fit_profile(EngineProfile("m"), points, 8192).profile
    assert fit.overhead_s == pytest.approx(0.008, abs=0.001)
    for tokens in (100, 1000, 3000, 8000):
        assert fit.prefill_s(tokens) == pytest.approx(device.prefill_s(tokens), rel=0.1)
    assert fit.admission_s(12, 682) == pytest.approx(device.admission_s(12, 682), rel=0.05)


def test_prompts_of_one_iteration_share_its_least_time() -> None:
    assert DEVICE.admission_s(0.5, 64) == pytest.approx(0.002)
    assert DEVICE.admission_s(4, 64) == pytest.approx(0.004)


def test_a_burst_waits_for_the_iteration_before() -> None:
    point = next(p for p in GRID if p.kind is PointKind.MIXED and p.batch == 2 and p.prompt_tokens == 32)
    step = DEVICE.step_s(1) + 0.004
    assert burst_s(DEVICE, point) == pytest.approx(0.001 + 2 * step)
    assert burst_s(replace(DEVICE, submit_s=0.0), point) == pytest.approx(0.001 + step, rel=0.01)


def test_a_curve_travels_and_a_falling_one_is_refused() -> None:
    message = profile_to_proto(DEVICE)
    assert profile_from_proto(message) == DEVICE
    message.prefill_curve[1].tokens = 16
    with pytest.raises(ProfileError, match="prefill_curve: tokens must rise"):
        profile_from_proto(message)


def test_a_slower_engine_ends_later_from_that_moment_on() -> None:
    ends = []
    for factor in (1.0, 2.0):
        engine = EngineModel(replace(DEVICE, prefill_curve=(), step_seq_s=0.0, prefill_token_s=0.0, prefill_base_s=0.0))
        engine.submit("a", 10, 100, 0, 0.0)
        engine.slow_down(factor, 0.1)
        ends.append(engine.advance(9.0).finished[0].finish_s)
        assert engine.next_event(9.0) is None
    assert ends == pytest.approx([0.2, 0.3])
