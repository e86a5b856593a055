"""Who is refused, and that every admitted run ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from catenary.model.outcome import Outcome
from catenary.simulation.calibration import CalibrationWatcher
from catenary.simulation.cluster import Cluster
from catenary.simulation.scenario import load_scenario
from catenary.simulation.simulate import simulate

SCENARIOS = Path(__file__).parent.parent / "scenarios"


def run(scenario: str, *overrides: str, watcher: CalibrationWatcher | None = None) -> Cluster:
    loaded = load_scenario(SCENARIOS / f"{scenario}.yaml", "catenary", overrides)
    return simulate(loaded, "catenary", 9, None, watcher)[1]


def test_below_the_knee_hardly_anybody_is_refused_who_would_have_been_in_time() -> None:
    calm = "work.phases=[{duration_s: 15, load: 0.9}]"
    for scenario in ("chain_fixed", "chain_own"):
        refused = run(scenario, calm).ends.refusals
        admitted = run(scenario, calm, "gateway.admission=none", "gateway.shed_crowded=false")
        wrongly = sum(admitted.ends.runs[run_id].met for run_id in refused)
        assert wrongly <= 0.02 * len(admitted.submitted)


def test_a_workflow_of_short_answers_is_not_refused_for_the_length_that_was_assumed() -> None:
    short = (
        "work.outputs={a: {tokens: {median: 6, sigma: 0.1}}, b: {tokens: {median: 6, sigma: 0.1}}, "
        "c: {tokens: {median: 6, sigma: 0.1}}}"
    )
    cluster = run("chain_fixed", short, "objective.fixed_s=1", "work.phases=[{duration_s: 10, load: 0.5}]")
    assert not cluster.ends.refusals
    assert all(ended.met for ended in cluster.ends.runs.values())


def test_with_on_miss_finish_every_admitted_run_ends_with_its_result_or_at_its_last_multiple() -> None:
    overload = ("work.phases=[{duration_s: 12, load: 1.4}]", "gateways=2", "workflow.slo.on_miss=finish")
    cluster = run("chain_fixed", *overload)
    assert len(cluster.ends) == len(cluster.submitted)
    for ended in cluster.ends.runs.values():
        assert ended.outcome in (Outcome.SUCCEEDED, Outcome.EXPIRED)
        assert ended.e2e_s <= 3 * 8 + 0.1
    assert any(not ended.met and ended.outcome is Outcome.SUCCEEDED for ended in cluster.ends.runs.values())


def test_the_predicted_quantiles_of_durations_and_chances_come_true() -> None:
    watcher = CalibrationWatcher()
    cluster = run("chain_fixed", "work.phases=[{duration_s: 20, load: 0.9}]", watcher=watcher)
    found = watcher.calibration(cluster)
    for errors in found.calls.values():
        assert 0.4 < errors.below_median < 0.6
        assert errors.below_high is not None
        assert 0.82 < errors.below_high < 0.97
    assert all(errors.median_error < 0.15 for errors in found.given_lengths.values())
    assert found.runs is not None
    assert found.runs.median_error < 0.35
    for chance in found.chances:
        assert chance.runs < 30 or abs(chance.said - chance.came) < 0.1


@pytest.mark.parametrize("gateways", [1, 2])
def test_at_three_times_the_capacity_admitted_runs_are_in_time_and_the_engines_are_busy(gateways: int) -> None:
    cluster = run("overload", f"gateways={gateways}")
    admitted = list(cluster.ends.runs.values())
    met = sum(ended.met for ended in admitted)
    assert met >= 0.97 * len(admitted)
    assert met >= 0.95 * (0.7 * 13 + 20) * 20
    last = max(one.job.arrival_s for one in cluster.submitted if one.job.run_id in cluster.ends.refusals)
    assert last < 25 + 1


def test_runs_that_are_late_cost_those_in_time_little() -> None:
    overload = "work.phases=[{duration_s: 15, load: 1.3}]"
    met = [
        sum(ended.met for ended in run("chain_own", overload, f"workflow.slo.on_miss={on_miss}").ends.runs.values())
        for on_miss in ("fail", "finish")
    ]
    assert met[1] >= 0.85 * met[0]
