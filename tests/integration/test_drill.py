"""Random faults under load: what the clients saw is sound. ``make drills`` runs it longer."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from drill import Drill
from faults import random_faults
from recovery import table
from whole_cluster import write_config

from catenary.model.outcome import Outcome
from catenary.runtime.cluster import Cluster
from catenary.runtime.kept_service import KeepSettings

NUM_FAULTS = int(os.environ.get("CATENARY_TEST_FAULTS", "9"))
GAP_S = float(os.environ.get("CATENARY_TEST_FAULT_GAP_S", "4"))
PAUSE_SHARE = float(os.environ.get("CATENARY_TEST_PAUSE_SHARE", "0.33"))
SEED = int(os.environ.get("CATENARY_TEST_SEED", "1"))
TRIES_FOR_EVER = KeepSettings(backoff_s=0.1, max_backoff_s=1.0, max_failures=1_000)
PROVISIONER = {"address": "127.0.0.1:0", "backoff_s": 0.1, "lease_ttl_s": 1.5}


@pytest.mark.drill
@pytest.mark.timeout(300 + 3 * NUM_FAULTS * GAP_S)
async def test_whatever_is_killed_or_paused_each_admitted_run_ends_once_and_without_gaps(tmp_path: Path) -> None:
    config = write_config(tmp_path, provisioner=PROVISIONER)
    rng = random.Random(SEED)
    faults = random_faults(rng, NUM_FAULTS, GAP_S, PAUSE_SHARE)
    async with Cluster(config, settings=TRIES_FOR_EVER) as cluster:
        report = await Drill(cluster, config, TRIES_FOR_EVER, 0.15, rng).run(faults, faults[-1].at_s + 5)
    for recovery in report.recoveries:
        print(recovery)
    for probe in report.probes:
        if not probe.met:
            print(probe)
    print(*table(report.recoveries), sep="\n")
    met = sum(probe.met for probe in report.probes)
    print(len(report.histories), "runs:", dict(report.outcomes), "|", met, "of", len(report.probes), "probes in time")
    assert report.violations == []
    assert len(report.faults) > NUM_FAULTS / 2
    assert report.outcomes[Outcome.SUCCEEDED] > len(report.histories) / 2
