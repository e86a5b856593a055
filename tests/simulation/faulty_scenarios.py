"""Scenarios in which things go wrong at random: one per seed."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from catenary.simulation.scenario import Scenario, load_scenario

FOLDER = Path(__file__).parent.parent / "scenarios"
NAMES = ("chain_fixed", "chain_own", "parallel", "branch", "map")
POLICIES = ("catenary", "catenary", "catenary", "edf", "fcfs")


def faulty_scenario(seed: int, duration_s: float) -> tuple[Scenario, str]:
    """The scenario and its policy: any of the shapes, loads of 0.5 to 2, one to five faults, one to three gateways."""
    random = Random(seed)
    path = FOLDER / f"{random.choice(NAMES)}.yaml"
    policy = random.choice(POLICIES)
    workers = [f"{model}-{n}" for model, count in load_scenario(path).replicas.items() for n in range(count)]
    faults = [_fault(random, workers, duration_s) for _ in range(random.randint(1, 5))]
    overrides = [
        f"work.phases=[{{duration_s: {duration_s}, load: {random.uniform(0.5, 2):.2f}}}]",
        f"faults={json.dumps(faults)}",
        f"gateways={random.randint(1, 3)}",
        f"workflow.slo.on_miss={random.choice(('fail', 'finish'))}",
    ]
    return load_scenario(path, policy, overrides), policy


def _fault(random: Random, workers: list[str], until_s: float) -> dict[str, Any]:
    worker, at_s, long_s = random.choice(workers), random.uniform(0, until_s), random.uniform(0.5, 5)
    while_s = {"from_s": at_s, "until_s": at_s + long_s}
    part = random.choice(("router", "gateway-0", worker))
    return random.choice(
        [
            {"kind": "worker_crash", "worker": worker, "at_s": at_s, "restart_s": long_s},
            {"kind": "slow_start", "worker": worker, "until_s": long_s},
            {"kind": "worker_drain", "worker": worker, "at_s": at_s, "until_s": at_s + long_s},
            {"kind": "clock_offset", "part": part, "offset_s": random.uniform(-100, 100)},
            {"kind": "stale_snapshots", "delay_s": random.uniform(0.1, 1), **while_s},
            {"kind": "slow_network", "delay_s": random.uniform(0.001, 0.3), **while_s},
            {"kind": "slow_store", "delay_s": random.uniform(0.001, 0.5), **while_s},
        ]
    )
