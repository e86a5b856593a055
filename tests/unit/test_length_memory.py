"""What a gateway has learned of output lengths, over its restart."""

from __future__ import annotations

import random

import pytest

from catenary.model.workflow import Sampling
from catenary.policy.length_window import ENOUGH, WINDOW
from catenary.policy.lengths import LengthModel
from catenary.runtime.wire.lengths import lengths_from_proto, lengths_to_proto
from catenary.v1 import lengths_pb2 as pb

SAMPLING = Sampling(max_tokens=2000)


def learned(calls: int, rng: random.Random) -> LengthModel:
    model = LengthModel()
    for _ in range(calls):
        deadline_s = rng.uniform(2, 10)
        model.observe("v", "a", round(50 * deadline_s * rng.uniform(0.8, 1.2)), 1, (1.0, deadline_s))
    return model


def after_restart(model: LengthModel, max_keys: int = 256) -> LengthModel:
    stored = lengths_to_proto(model.known(max_keys)).SerializeToString()
    found = LengthModel()
    found.learn(lengths_from_proto(pb.LearnedLengths.FromString(stored)))
    return found


@pytest.mark.parametrize(("calls", "tolerance"), [(ENOUGH, 1e-9), (WINDOW, 0.01), (3 * WINDOW + 7, 0.1)])
def test_estimates_are_as_before(calls: int, tolerance: float) -> None:
    model = learned(calls, random.Random(1))
    again = after_restart(model)
    for deadline_s, done in ((3.0, 0), (9.0, 0), (9.0, 100)):
        asked = ("v", "a", SAMPLING, 128, done, 1, (1.0, deadline_s))
        assert again.estimate(*asked).q50 == pytest.approx(model.estimate(*asked).q50, rel=tolerance)
        assert again.estimate(*asked).q90 == pytest.approx(model.estimate(*asked).q90, rel=tolerance)


def test_the_calls_seen_last_are_kept_in_their_order() -> None:
    model = LengthModel()
    for name in "abca":
        model.observe("v", name, 5)
    assert [call for _, call, _ in after_restart(model, 2).known(9)] == ["a", "c"]


def test_what_cannot_be_is_left_out() -> None:
    wrong = [
        pb.CallLengths(call="no lengths", features=[1.0]),
        pb.CallLengths(call="no features", tokens=[1]),
        pb.CallLengths(call="uneven", tokens=[1, 2], features=[1.0, 2.0, 3.0]),
        pb.CallLengths(call="no number", tokens=[1], features=[float("nan")]),
    ]
    assert lengths_from_proto(pb.LearnedLengths(calls=wrong)) == {}


def test_what_another_release_told_of_a_run_gives_way_to_what_this_one_tells() -> None:
    model = after_restart(learned(WINDOW, random.Random(1)))
    for _ in range(ENOUGH):
        model.observe("v", "a", 70, 1, (1.0, 5.0, 300.0))
    assert model.estimate("v", "a", SAMPLING, 128, 0, 1, (1.0, 5.0, 300.0)).q50 == 70
