"""256 seats on one H100: nobody waits for a seat, and every run is slowed by each other one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catenary.simulation.report import Report
from catenary.simulation.scenario import load_scenario
from catenary.simulation.simulate import simulate

ROOT = Path(__file__).parents[2]
SCENARIO = ROOT / "tests" / "scenarios" / "shapes_256_seats.yaml"


def play(policy: str, rate: float) -> Report:
    scenario = load_scenario(SCENARIO, policy, (f"work.rate={rate}",))
    return simulate(scenario, policy, 11, None)[0]


def test_nobody_is_refused_who_would_be_in_time() -> None:
    assert play("catenary", 10).refused == play("fcfs", 10).missed == 0.0


def test_at_the_knee_hardly_more_miss_than_first_come_first_served_and_past_it_far_fewer() -> None:
    assert play("catenary", 12).missed <= play("fcfs", 12).missed + 0.02
    assert play("catenary", 16).missed < 0.5 * play("fcfs", 16).missed


@pytest.mark.parametrize("shape", ["1b", "3b", "8b"])
def test_the_engines_are_those_of_the_committed_profiles(shape: str) -> None:
    engine = load_scenario(SCENARIO).models[f"m{shape}"].model_dump(exclude_defaults=True)
    path = ROOT / "profiles" / f"llama-{shape}-shape--nvidia-h100-80gb-hbm3.json"
    profile = json.loads(path.read_text(encoding="utf-8"))
    del engine["memory_gib"], engine["lookahead"]
    assert engine == {name: profile[name] for name in engine}
