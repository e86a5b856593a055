"""Three models on two accelerators: awake together where they fit, or one at a time."""

from __future__ import annotations

from pathlib import Path

from catenary.simulation.cluster import Cluster
from catenary.simulation.report import Report
from catenary.simulation.scenario import load_scenario
from catenary.simulation.simulate import simulate

SCENARIO = Path(__file__).parent.parent / "scenarios" / "chain_own_together.yaml"
SHORT = "work.phases=[{duration_s: 12, load: 0.2}]"


def play(*changes: str) -> tuple[Report, Cluster]:
    return simulate(load_scenario(SCENARIO, "catenary", (SHORT, *changes)), "catenary", 1)


def test_models_that_fit_are_awake_together_and_far_fewer_runs_miss_than_one_at_a_time() -> None:
    together, cluster = play()
    alone, _ = play("provisioner.awake_together=1")
    assert together.missed < 0.1 < 0.5 < alone.missed
    assert cluster.provisioner is not None
    assert any(" beside " in reason for reason in cluster.provisioner.core.plan(20.0).reasons)


def test_what_does_not_fit_is_never_awake_together() -> None:
    small, cluster = play("accelerator_memory_gib=37")
    alone, _ = play("provisioner.awake_together=1")
    assert small.missed == alone.missed
    assert cluster.provisioner is not None
    assert not any(" beside " in reason for reason in cluster.provisioner.core.plan(20.0).reasons)
