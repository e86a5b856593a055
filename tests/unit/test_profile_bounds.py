"""A profile from elsewhere holds only numbers that a prediction can be made from."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from catenary.model.profile import EngineProfile
from catenary.runtime.wire.profile import ProfileError, profile_to_proto, record_from_proto, record_to_proto
from catenary.v1.profile_pb2 import PrefillCost, Profile


def measured() -> Profile:
    message = profile_to_proto(EngineProfile("m", origin="measured"))
    message.measure_time.FromSeconds(1_700_000_000)
    point = message.points.add(kind="decode", prompt_tokens=16, output_tokens=4, batch=1, measured_s=0.1)
    point.repeats, point.context_tokens, point.steps = 3, 18.0, 1
    return message


WRONG: dict[str, Callable[[Profile], None]] = {
    "step_base_s: inf must be finite": lambda message: setattr(message, "step_base_s", float("inf")),
    "prefill_token2_s: 1e\\+300 must be": lambda message: setattr(message, "prefill_token2_s", 1e300),
    "residual_p95: nan must be": lambda message: setattr(message, "residual_p95", float("nan")),
    "points.measured_s: -1.0 must be": lambda message: setattr(message.points[0], "measured_s", -1.0),
    "points: there are 10001": lambda message: message.points.extend([message.points[0]] * 10_000),
    "accelerator: has 300 characters": lambda message: setattr(message, "accelerator", "x" * 300),
    "measure_time: 9223372036854775807 s": lambda message: setattr(message.measure_time, "seconds", 2**63 - 1),
    "measure_time: 1700000000 s, -1 ns": lambda message: setattr(message.measure_time, "nanos", -1),
    "prefill_curve: has 2000 points": lambda message: message.prefill_curve.extend([PrefillCost(tokens=1)] * 2_000),
}


@pytest.mark.parametrize("problem", WRONG)
def test_what_cannot_be_is_refused_with_its_field_and_bound(problem: str) -> None:
    message = measured()
    WRONG[problem](message)
    with pytest.raises(ProfileError, match=problem):
        record_from_proto(message)


def test_what_was_measured_travels_unchanged() -> None:
    assert record_to_proto(record_from_proto(measured())) == measured()
