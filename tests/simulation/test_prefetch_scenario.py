"""What reading weights ahead of a load is worth."""

from __future__ import annotations

import copy
from typing import Any

from catenary.simulation.scenario import parse_scenario
from catenary.simulation.simulate import simulate

BURST: dict[str, Any] = {
    "name": "cold_weights",
    "workflow": {
        "name": "one",
        "slo": {"deadline": "20s", "attainment": 0.95, "on_miss": "fail"},
        "inputs": {"prompt": "string"},
        "calls": {"x": {"model": "X", "prompt": "{{ inputs.prompt }}", "max_tokens": 200}},
    },
    "models": {
        "X": {"step_base_s": 0.02, "max_num_seqs": 8, "weights_gib": 15, "reload_s": 2, "prefetch_s": 10},
    },
    "replicas": {"X": 1},
    "accelerators": 3,
    "host_memory_gib": 1,
    "provisioner": {"policy": "risk", "interval_s": 0.25, "replica_price": 0.5},
    "objective": {"own": 4},
    "work": {
        "rate": 3.0,
        "phases": [{"duration_s": 20, "load": 0.7}, {"duration_s": 25, "load": 2.4}],
        "inputs": {"prompt": {"tokens": {"median": 64, "sigma": 0.2}}},
        "outputs": {"x": {"tokens": {"median": 100, "sigma": 0.3, "max": 200}}},
    },
}


def missed_and_reasons(prefetch: bool) -> tuple[float, tuple[str, ...]]:
    """The share of runs missed, and the provisioner's last reasons."""
    data = copy.deepcopy(BURST)
    data["provisioner"]["prefetch"] = prefetch
    report, cluster = simulate(parse_scenario(data), "catenary", seed=1)
    assert cluster.provisioner is not None
    return report.missed, cluster.provisioner.core.plan(0.0).reasons


def test_in_a_burst_weights_read_ahead_make_wakes_shorter_and_runs_miss_less() -> None:
    ahead, reasons = missed_and_reasons(prefetch=True)
    without, others = missed_and_reasons(prefetch=False)
    assert any("prefetches X: with 2 times the arrivals" in reason for reason in reasons)
    assert any("weights of X read, 15.0 GiB in 10.0 s" in reason for reason in reasons)
    assert not any("prefetches" in reason for reason in others)
    assert ahead < 0.6 * without, (ahead, without)
