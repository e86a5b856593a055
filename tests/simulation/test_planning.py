"""How many replicas a workflow needs: the search alone, and with simulations."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from catenary.cli import plan_files
from catenary.cli.main import app
from catenary.simulation import planning, standing
from catenary.simulation.capacity import Trial, search, trimmed
from catenary.simulation.hopeless import LEAST_ENDED, Hopeless
from catenary.simulation.planning import wilson
from catenary.simulation.scenario import load_scenario
from catenary.simulation.simulate import prepare
from catenary.simulation.standing import in_jump, phases

SCENARIO = Path(__file__).parent.parent / "scenarios" / "chain_fixed.yaml"
WORKFLOW = """
name: pair
slo: {deadline: 20s}
inputs: {text: string}
calls:
  first: {model: small, prompt: "{{ inputs.text }}", max_tokens: 64}
  second: {model: large, prompt: "{{ first.text }}", max_tokens: 64}
"""
PROFILE = {"accelerator": "card", "engine": "test", "origin": "measured", "max_num_seqs": 8, "prefill_base_s": 0.01}


def needs(**enough: int) -> Callable[[Mapping[str, int]], Trial]:
    """Attainment falls with each replica that is lacking; a model that lacks none has no strain."""

    def evaluate(replicas: Mapping[str, int]) -> Trial:
        lacking = {model: max(0, count - replicas[model]) for model, count in enough.items()}
        return Trial(1 - sum(lacking.values()) / 100, {model: float(count) for model, count in lacking.items()})

    return evaluate


def test_the_search_finds_the_fewest_replicas_of_each_model() -> None:
    costs = {"a": 1, "b": 1, "c": 2}
    found = search(needs(a=1, b=5, c=3), {"a": 1, "b": 1, "c": 1}, costs, 1.0, 64)
    assert found.replicas == {"a": 1, "b": 5, "c": 3}


def test_the_search_takes_away_what_the_estimate_had_too_much() -> None:
    found = search(needs(a=1, b=2), {"a": 4, "b": 2}, {"a": 1, "b": 1}, 1.0, 64)
    assert found.replicas == {"a": 1, "b": 2}


def test_the_search_ends_at_the_bound_and_says_what_came_closest() -> None:
    found = search(needs(a=50), {"a": 1}, {"a": 4}, 1.0, 20)
    assert found.replicas is None
    assert found.best["a"] * 4 <= 20


def test_the_interval_of_a_share_holds_it_and_narrows_with_the_count() -> None:
    low, high = wilson(95, 100)
    assert low < 0.95 < high
    assert wilson(950, 1000)[0] > low
    assert wilson(0, 0) == (0.0, 1.0)


def plan(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["plan", *map(str, arguments), "--json"])
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture(autouse=True)
def few_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_files, "LEAST_RUNS", 80)
    monkeypatch.setattr(plan_files, "WARM_UP_S", 3.0)
    monkeypatch.setattr(planning, "WARM_UP_S", 3.0)
    monkeypatch.setattr(standing, "WARM_UP_S", 3.0)
    monkeypatch.setattr(standing, "LEAST_RUNS", 80)
    monkeypatch.setattr(standing, "MOST_RUNS", 80)
    monkeypatch.setattr(standing, "LEAST_JUMP_S", 4.0)
    monkeypatch.setattr(standing, "CALM_S", 4.0)


def test_more_arrivals_need_more_replicas() -> None:
    code, few = plan(SCENARIO, "--rate", "2", "--attainment", "0.8")
    assert (code, few["reached"]) == (0, True)
    code, many = plan(SCENARIO, "--rate", "20", "--attainment", "0.8")
    assert code == 0
    assert sum(few["verdict"]["replicas"].values()) < sum(many["verdict"]["replicas"].values())


def test_a_deadline_that_no_number_of_replicas_keeps_is_told_with_one_that_could_be() -> None:
    code, answer = plan(SCENARIO, "--rate", "2", "--attainment", "0.9", "--deadline", "1.5s")
    assert (code, answer["reached"]) == (1, False)
    assert "however many replicas" in str(answer["reason"])
    assert 3 < float(str(answer["possible_deadline_s"])) < 8


def test_what_takes_longer_to_wake_has_to_stand_awake() -> None:
    waits = ("--ready-in", "0s", "--ready-in", "20s")
    code, answer = plan(SCENARIO, "--rate", "2", "--attainment", "0.8", "--burst", "8", *waits)
    assert code == 0
    usual = sum(answer["verdict"]["replicas"].values())
    soon, late = answer["standing"]
    replicas = [sum(one["answer"]["verdict"]["replicas"].values()) for one in (soon, late)]
    assert usual <= replicas[0] < replicas[1]
    assert late["lean"]["attainment"] < 0.8 <= late["answer"]["verdict"]["attainment"]


def test_the_cost_of_what_stands_awake_is_said() -> None:
    asked = ["plan", str(SCENARIO), "--rate", "2", "--attainment", "0.8", "--burst", "8", "--ready-in", "20s"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0
    assert "where more takes 20 s: " in result.stdout
    assert "accelerator-seconds an hour in reserve" in result.stdout


def test_the_search_takes_many_away_in_few_trials() -> None:
    asked = []

    def suffices(fewer: Mapping[str, int]) -> bool:
        asked.append(fewer["a"])
        return fewer["a"] >= 37

    assert trimmed({"a": 100}, {"a": 1}, suffices) == {"a": 37}
    assert len(asked) < 20


def test_a_simulation_that_cannot_reach_its_target_any_more_is_given_up() -> None:
    scenario = load_scenario(SCENARIO, "fcfs", ("work.phases=[{duration_s: 20, load: 2}]",))
    cluster, _ = prepare(scenario, 1)
    counted = {run.job.run_id for run in cluster.submitted}
    watcher = Hopeless(counted, 10.0)
    stopped, _ = prepare(scenario, 1, watcher=watcher)
    stopped.run()
    assert stopped.stopped
    assert LEAST_ENDED <= len(stopped.ends) < len(counted)
    assert watcher.missed_runs > 10


def test_only_runs_that_arrive_in_jumps_count() -> None:
    course = phases(4.0, 2.0, 2)
    assert [phase.load for phase in course] == [1.0, 4.0, 1.0, 4.0]
    at, counted = 0.0, []
    for phase in course:
        counted.append(in_jump(2.0, at + phase.duration_s / 2))
        at += phase.duration_s
    assert counted == [False, True, False, True]


def test_workflow_files_are_planned_from_measured_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catenary.cli.plan_profiles.FOLDERS", (tmp_path,))
    for model in ("small", "large"):
        (tmp_path / f"{model}.json").write_text(json.dumps({"model": model, "step_base_s": 0.02, **PROFILE}))
    workflow = tmp_path / "pair.yaml"
    workflow.write_text(WORKFLOW)
    code, answer = plan(workflow, "--rate", "1", "--attainment", "0.9", "--output-tokens", "second=20")
    assert code == 0
    assert answer["accelerators"] == {"large": "card", "small": "card"}
    assert answer["verdict"]["replicas"] == {"large": 1, "small": 1}
    result = CliRunner().invoke(app, ["plan", str(workflow)])
    assert result.exit_code == 2
    assert "--rate" in result.stderr
