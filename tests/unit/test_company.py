"""What one more run costs those that share its engines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catenary.core.gateway.company import FULLER, others_loss
from catenary.model.dispatch import PoolState
from catenary.policy.span import Span, scaled

PATH = Span(1.0, 0.01)
ROOMY = PoolState("m", num_replicas=1, num_seats=256, num_running=40)


def test_one_more_run_costs_the_more_the_more_engines_slow_with_company() -> None:
    assert others_loss(PATH, scaled(PATH, FULLER), 1.0, [ROOMY]) > 3.0
    assert others_loss(PATH, scaled(PATH, 1.001), 1.0, [ROOMY]) < 0.1


def test_runs_with_time_to_spare_lose_nothing() -> None:
    assert others_loss(PATH, scaled(PATH, FULLER), 3.0, [ROOMY]) == pytest.approx(0.0, abs=1e-6)


def test_where_seats_are_scarce_the_queue_decides() -> None:
    scarce = replace(ROOMY, num_running=129)
    assert others_loss(PATH, scaled(PATH, FULLER), 1.0, [ROOMY, scarce]) == 0.0
    assert others_loss(PATH, scaled(PATH, FULLER), 1.0, [None]) == 0.0
