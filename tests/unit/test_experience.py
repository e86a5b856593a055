"""What a gateway has learned from runs, over its restart."""

from __future__ import annotations

import random

import pytest

from catenary.core.gateway.core import GatewayCore
from catenary.core.gateway.experience import Experience
from catenary.core.gateway.settings import GatewaySettings
from catenary.model.workflow import Sampling
from catenary.policy.length_window import ENOUGH, WINDOW
from catenary.policy.lengths import LengthModel
from catenary.policy.ordering.standing import WINDOW_RUNS, ErrorBudgets
from catenary.policy.path_errors import PathError
from catenary.policy.run_shapes import RunShapes
from catenary.runtime.wire.experience import experience_from_proto, experience_to_proto
from catenary.v1 import experience_pb2 as pb

SAMPLING = Sampling(max_tokens=2000)


def learned(calls: int, rng: random.Random) -> LengthModel:
    model = LengthModel()
    for _ in range(calls):
        deadline_s = rng.uniform(2, 10)
        model.observe("v", "a", round(50 * deadline_s * rng.uniform(0.8, 1.2)), 1, (1.0, deadline_s))
    return model


def after_restart(model: LengthModel, max_keys: int = 256) -> LengthModel:
    found = LengthModel()
    found.learn(stored_and_read(Experience(lengths=model.known(max_keys))).lengths)
    return found


def stored_and_read(experience: Experience) -> Experience:
    return experience_from_proto(pb.Experience.FromString(experience_to_proto(experience).SerializeToString()))


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
    lengths = [
        pb.CallLengths(call="no lengths", features=[1.0]),
        pb.CallLengths(call="no features", tokens=[1]),
        pb.CallLengths(call="uneven", tokens=[1, 2], features=[1.0, 2.0, 3.0]),
        pb.CallLengths(call="no number", tokens=[1], features=[float("nan")]),
    ]
    shapes = [
        pb.CallShape(call="more often than asked", taken=2, seen=1),
        pb.CallShape(call="no number", items=float("nan")),
        pb.CallShape(call="less than none", items=-1.0),
    ]
    errors = [
        pb.PathError(ended=0, ratio=1.0),
        pb.PathError(ended=1, runs=1, ratio=-1.0),
        pb.PathError(ended=2, runs=1, ratio=float("nan")),
    ]
    assert experience_from_proto(pb.Experience(calls=lengths, shapes=shapes, errors=errors)) == Experience()


def test_what_another_release_told_of_a_run_gives_way_to_what_this_one_tells() -> None:
    model = after_restart(learned(WINDOW, random.Random(1)))
    for _ in range(ENOUGH):
        model.observe("v", "a", 70, 1, (1.0, 5.0, 300.0))
    assert model.estimate("v", "a", SAMPLING, 128, 0, 1, (1.0, 5.0, 300.0)).q50 == 70


def test_how_often_conditions_hold_and_how_long_lists_are_is_known_again() -> None:
    shapes, again = RunShapes(8), RunShapes(8)
    for number in range(10):
        shapes.observe_branch("v", "seldom", taken=number == 0)
        shapes.observe_items("v", "seldom", 3)
    shapes.observe_items("v", "list", 7)
    again.learn(stored_and_read(Experience(shapes=shapes.known(8))).shapes)
    assert again.known(8) == shapes.known(8)
    assert again.probability("v", "seldom") == pytest.approx(2 / 12)
    assert again.items("v", "seldom", 4) == 3
    assert (again.probability("v", "list"), again.items("v", "list", 4)) == (1.0, 7)
    assert (again.probability("v", "new"), again.items("v", "new", 4)) == (1.0, 4)


def test_the_shapes_used_last_are_kept() -> None:
    shapes = RunShapes(2)
    for name in "abac":
        shapes.observe_branch("v", name, taken=True)
    assert [call for _, call in shapes.known(9)] == ["c", "a"]
    assert [call for _, call in shapes.known(1)] == ["c"]


def test_an_error_budget_goes_on_where_it_was() -> None:
    budgets, again = ErrorBudgets(), ErrorBudgets()
    for number in range(WINDOW_RUNS):
        budgets.observe("t", "w", met=number >= 5)
    again.learn(stored_and_read(Experience(ends=budgets.known(8))).ends)
    left = [found.left("t", "w", 0.95) for found in (budgets, again)]
    assert left[0] == left[1] == pytest.approx(1 - 5 / (0.05 * WINDOW_RUNS))
    for found in (budgets, again):
        for _ in range(5):
            found.observe("t", "w", met=True)
        assert found.left("t", "w", 0.95) == 1.0


def test_a_core_tells_all_that_it_has_learned_and_another_begins_with_it() -> None:
    core, next_core = (GatewayCore(GatewaySettings(), {}, {}) for _ in range(2))
    told = Experience(
        {("v", "a", 1): [((1.0, 2.0), 7)] * ENOUGH},
        RunShapes(8).known(8),
        {("t", "w"): (True, False)},
        {("v", 1): PathError(20, 0.5)},
    )
    core.learn(told)
    assert core.num_observed == 0
    core.forecaster.shapes.observe_branch("v", "b", taken=True)
    assert core.num_observed == 1
    next_core.learn(stored_and_read(core.experience(9)))
    assert next_core.experience(9) == core.experience(9)
    assert list(next_core.experience(9).ends) == [("t", "w")]
    assert next_core.forecaster.path_errors.share("v", 1) == 0.75
