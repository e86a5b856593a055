"""How fast runs arrive by the counters of gateways."""

from __future__ import annotations

import math

import pytest

from catenary.core.provisioner.rates import ArrivalRates
from catenary.model.demand import DemandReport, ModelShare, Wave, WorkflowArrivals


def arrived(runs: float) -> WorkflowArrivals:
    return WorkflowArrivals("x", runs, runs, 2.2 * runs, 4.9 * runs, (ModelShare("x", runs, 0.0, 0.0, 0.0, 0.0),))


def test_a_jump_of_the_rate_is_seen_within_two_seconds_and_chance_is_not() -> None:
    rates, runs = ArrivalRates(), 0.0
    for i in range(1, 101):
        runs += 2.0 + (1 if i % 3 == 0 else -1 if i % 3 == 1 else 0)
        rates.take(DemandReport("g", 1, (arrived(runs),), ()), i * 0.25)
    steady = rates.arriving(25.0)[0].rate
    assert steady == pytest.approx(8.0, rel=0.05)
    for i in range(101, 109):
        runs += 7.0
        rates.take(DemandReport("g", 1, (arrived(runs),), ()), i * 0.25)
    assert rates.arriving(27.0)[0].rate > 20


def test_a_restarted_gateway_counts_from_nothing_and_an_old_wave_is_forgotten() -> None:
    rates = ArrivalRates()
    rates.take(DemandReport("g", 1, (arrived(100.0),), (Wave("x", 0.0, 3.0),)), 1.0)
    rates.take(DemandReport("g", 2, (arrived(5.0),), ()), 2.0)
    assert rates.arriving(2.0)[0].rate < 200
    assert rates.waves(2.0) == []
    assert not math.isnan(rates.arriving(30.0)[0].rate)
