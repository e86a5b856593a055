"""Several gateways of one machine share the load of one client."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from tracked_runs import workflow
from whole_cluster import write_config

from catenary.client import Client
from catenary.runtime.cluster import Cluster


async def test_two_gateways_each_drive_half_of_the_runs_and_know_all(tmp_path: Path) -> None:
    config = write_config(tmp_path, gateway={"address": "127.0.0.1:0", "count": 2})
    async with Cluster(config) as cluster, Client(cluster.addresses.gateways) as client:
        runs = await asyncio.gather(*(client.run(workflow(tokens=4)) for _ in range(12)))
        assert all(run.succeeded for run in runs)
        for address in cluster.addresses.gateways:
            async with Client(address) as one:
                found = [await one.get(run.run_id) for run in runs]
                assert Counter(run.owner.partition(":")[0] for run in found) == {"gateway-0": 6, "gateway-0-1": 6}
