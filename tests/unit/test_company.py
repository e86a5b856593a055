"""What one more run costs those that share its engines."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import pytest

from catenary.core.gateway.forecast import Forecaster
from catenary.model.dispatch import PoolState
from catenary.model.profile import EngineProfile
from catenary.policy.admission.company import FULLER, others_loss
from catenary.policy.slack import PathCall
from catenary.policy.span import Span, scaled

PATH = Span(1.0, 0.01)
ROOMY = PoolState("m", num_replicas=1, num_seats=256, num_running=40)


def test_one_more_run_costs_the_more_the_more_engines_slow_with_company() -> None:
    assert others_loss(PATH, partial(scaled, PATH), 1.0, [ROOMY]) > 1.5
    assert others_loss(PATH, lambda _: scaled(PATH, 1.001), 1.0, [ROOMY]) < 0.1


def test_runs_with_time_to_spare_lose_nothing() -> None:
    assert others_loss(PATH, partial(pytest.fail, "asked for nothing"), 3.0, [ROOMY]) == 0.0


def test_where_seats_are_scarce_the_queue_decides() -> None:
    scarce = replace(ROOMY, num_running=129)
    assert others_loss(PATH, partial(scaled, PATH), 1.0, [ROOMY, scarce]) == 0.0
    assert others_loss(PATH, partial(scaled, PATH), 1.0, [None]) == 0.0


def test_an_engine_that_takes_no_time_is_no_slower_when_it_is_fuller() -> None:
    noop = EngineProfile("noop", prefill_base_s=0.0, prefill_token_s=0.0, step_base_s=0.0, step_seq_s=0.0)
    profiles = {"m": EngineProfile("m"), "noop": noop}
    calls = [PathCall(model, (), PATH, model=model) for model in profiles]
    forecaster = Forecaster({}, profiles)
    forecaster.pools["m"] = ROOMY
    assert forecaster.fuller(calls, 1.1).mean > forecaster.fuller(calls[1:], 1.1).mean == PATH.mean


def test_it_is_half_of_what_all_there_would_lose_at_the_beginning_of_their_paths() -> None:
    fuller = PATH.probability_within(1.0) - scaled(PATH, FULLER).probability_within(1.0)
    assert others_loss(PATH, partial(scaled, PATH), 1.0, [ROOMY]) == pytest.approx(fuller / math.log(FULLER) / 2)
