"""What a gateway tells Prometheus."""

from __future__ import annotations

import asyncio
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from tracked_runs import workflow
from whole_cluster import write_config

from catenary.client import Client
from catenary.runtime.cluster import Cluster
from catenary.runtime.ports import settle_addresses

GATEWAY = "127.0.0.1:0"


def scrape(port: int) -> dict[str, float]:
    """Samples by name and the values of their labels, these in the order of the labels' names."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        samples = [sample for family in families for sample in family.samples]
    return {",".join([sample.name, *sample.labels.values()]): sample.value for sample in samples}


async def test_runs_calls_refusals_and_the_store_are_counted(tmp_path: Path) -> None:
    port = int(settle_addresses({"metrics": GATEWAY})["metrics"].rpartition(":")[2])
    config = write_config(tmp_path, gateway={"address": GATEWAY, "metrics_port": port})
    async with Cluster(config) as cluster, Client(cluster.addresses.gateway) as client:
        for _ in range(3):
            await client.run(workflow(tokens=4))
        await client.run(workflow("slow", 100), deadline_s=0.5)
        await asyncio.sleep(2.5)
        found = await asyncio.to_thread(scrape, port)
    assert found["catenary_runs_total,true,SUCCEEDED,chain"] == 3
    assert found["catenary_runs_refused_total,REJECTED_INFEASIBLE"] == 1
    assert found["catenary_call_attempts_count,fast"] == 6
    assert found["catenary_call_queue_seconds_count,fast"] == 6
    assert found["catenary_call_slack_seconds_bucket,0.0,fast"] == 0
    assert found["catenary_store_write_seconds_count"] >= 3
    assert found["catenary_store_connected"] == 1
    assert found["catenary_pool_replicas,fast"] == 2
    assert found["catenary_runs_active"] == 0
