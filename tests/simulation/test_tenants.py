"""Two tenants, one of them flooding; two gateways that know of each other's runs."""

from __future__ import annotations

from pathlib import Path

from catenary.simulation.scenario import load_scenario
from catenary.simulation.simulate import simulate

SCENARIOS = Path(__file__).parent.parent / "scenarios"


def missed_by_tenant(*overrides: str) -> dict[str, float]:
    scenario = load_scenario(SCENARIOS / "chain_fixed.yaml", "catenary", overrides)
    _, cluster = simulate(scenario, "catenary", 7)
    found: dict[str, list[bool]] = {}
    for run in cluster.submitted:
        ended = cluster.ends.runs.get(run.job.run_id)
        found.setdefault(run.job.tenant, []).append(ended is None or not ended.met)
    return {tenant: sum(missed) / len(missed) for tenant, missed in found.items()}


def test_a_tenant_within_its_share_does_not_miss_for_anothers_flood() -> None:
    """What it misses are runs too long for the pace of a full batch: of all runs at load 1.0 about as many do."""
    flood = ["work.phases=[{duration_s: 30, load: 1.5}]", "work.tenants={quiet: 0.2, flood: 0.8}"]
    missed = missed_by_tenant(*flood, "gateways=2")
    assert missed["flood"] > 0.3
    assert missed["quiet"] < 0.08


def test_gateways_that_share_the_load_decide_as_well_as_one() -> None:
    overload = "work.phases=[{duration_s: 25, load: 1.3}]"
    alone = missed_by_tenant(overload)["default"]
    assert missed_by_tenant(overload, "gateways=2")["default"] < alone + 0.05
