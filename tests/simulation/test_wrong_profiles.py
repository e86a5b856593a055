"""Engines that are not as fast as their profiles say."""

from __future__ import annotations

from pathlib import Path

from catenary.simulation.scenario import load_scenario
from catenary.simulation.simulate import simulate

SCENARIO = Path(__file__).parent.parent / "scenarios" / "chain_own.yaml"


def missed(believed_factor: float) -> float:
    """Share of the runs at an overload of 30 s."""
    changes = [f"models.{model}.believed_factor={believed_factor}" for model in "ABC"]
    phases = "work.phases=[{duration_s: 30, load: 1.1}]"
    report, _ = simulate(load_scenario(SCENARIO, "catenary", [phases, *changes]), "catenary", 1)
    return report.missed


def test_engines_half_as_fast_as_believed_are_found_out_by_their_tokens() -> None:
    assert missed(0.5) < missed(1.0) + 0.05
