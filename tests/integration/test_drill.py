"""Random faults under load: what the clients saw is sound. ``make drills`` runs it longer."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from drill import Drill, random_faults
from whole_cluster import write_config

from catenary.model.outcome import Outcome
from catenary.runtime.cluster import Cluster
from catenary.runtime.kept_service import KeepSettings

NUM_FAULTS = int(os.environ.get("CATENARY_TEST_FAULTS", "12"))
GAP_S = float(os.environ.get("CATENARY_TEST_FAULT_GAP_S", "4"))
SEED = int(os.environ.get("CATENARY_TEST_SEED", "1"))
TRIES_FOR_EVER = KeepSettings(backoff_s=0.1, max_backoff_s=1.0, max_failures=1_000)


@pytest.mark.drill
@pytest.mark.timeout(300 + 3 * NUM_FAULTS * GAP_S)
async def test_whatever_is_killed_or_paused_each_admitted_run_ends_once_and_without_gaps(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    rng = random.Random(SEED)
    faults = random_faults(rng, NUM_FAULTS, GAP_S)
    async with Cluster(config, settings=TRIES_FOR_EVER) as cluster:
        report = await Drill(cluster, config, TRIES_FOR_EVER, 0.15, rng).run(faults, faults[-1].at_s + 5)
    for fault in report.faults:
        print(fault, "next success after", report.recovery_s(fault))
    print(len(report.histories), "runs:", dict(report.outcomes))
    assert report.violations == []
    assert len(report.faults) > NUM_FAULTS / 2
    assert report.outcomes[Outcome.SUCCEEDED] > len(report.histories) / 2
