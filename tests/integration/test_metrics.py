"""What the services tell Prometheus."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from tracked_runs import workflow
from whole_cluster import write_config

from catenary.client import Client
from catenary.runtime.cluster import Cluster
from catenary.runtime.ports import settle_addresses

ANY = "127.0.0.1:0"
SERVICES = ("gateway", "router", "provisioner", "profiler", "worker")


def scrape(port: int) -> dict[str, float]:
    """Samples by name and the values of their labels, these in the order of the labels' names."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        samples = [sample for family in families for sample in family.samples]
    return {",".join([sample.name, *sample.labels.values()]): sample.value for sample in samples}


async def test_runs_calls_refusals_pools_and_the_store_are_counted(tmp_path: Path) -> None:
    settled = settle_addresses(dict.fromkeys(SERVICES, ANY))
    ports = {name: int(address.rpartition(":")[2]) for name, address in settled.items()}
    sections = {name: {"address": ANY, "metrics_port": ports[name]} for name in SERVICES[:4]}
    workers = [
        {"id": "w0", "models": ["fast"], "metrics_port": ports["worker"]},
        {"id": "w2", "models": ["slow"]},
    ]
    config = write_config(tmp_path, **sections, workers=workers)
    async with Cluster(config) as cluster, Client(cluster.addresses.gateway) as client:
        for _ in range(3):
            await client.run(workflow(tokens=4))
        await client.run(workflow("slow", 100), deadline_s=0.5)
        await counted(ports)


async def counted(ports: dict[str, int]) -> None:
    """Returns when every service tells what it should; some figures are refreshed every second or two."""
    give_up_at = time.monotonic() + 20
    while True:
        found = {name: await asyncio.to_thread(scrape, port) for name, port in ports.items()}
        try:
            for name, check in CHECKS.items():
                check(found[name])
            return
        except (AssertionError, KeyError):
            if time.monotonic() > give_up_at:
                raise
        await asyncio.sleep(0.2)


def of_the_gateway(found: dict[str, float]) -> None:
    assert found["catenary_runs_total,true,SUCCEEDED,chain"] == 3
    assert found["catenary_runs_refused_total,REJECTED_INFEASIBLE"] == 1
    assert found["catenary_call_attempts_count,fast"] == 6
    assert found["catenary_call_queue_seconds_count,fast"] == 6
    assert found["catenary_call_slack_seconds_bucket,0.0,fast"] == 0
    assert found["catenary_store_write_seconds_count"] >= 3
    assert found["catenary_store_connected"] == 1
    assert found["catenary_pool_replicas,fast"] == 1
    assert found["catenary_runs_active"] == 0


def of_the_router(found: dict[str, float]) -> None:
    assert found["catenary_router_active"] == 1
    assert found["catenary_router_assigned_total,fast"] == 6
    assert found["catenary_router_wait_seconds_count,fast"] == 6
    assert found["catenary_router_decision_seconds_count,fast"] == 6
    assert found["catenary_router_margin_seconds_bucket,0.0,fast"] == 0
    assert found["catenary_router_seats,fast"] == 8
    assert found["catenary_router_queued,fast"] == 0


def of_the_worker(found: dict[str, float]) -> None:
    assert found["catenary_worker_calls_total,length,fast"] == 6
    assert found["catenary_worker_output_tokens_total,fast"] == 24
    assert found["catenary_worker_ttft_seconds_count,fast"] == 6
    assert found["catenary_worker_replica_state,fast,AWAKE"] == 1
    assert found["catenary_worker_running,fast"] == 0


def of_the_provisioner(found: dict[str, float]) -> None:
    assert found["catenary_provisioner_epoch"] >= 1
    assert found["catenary_plan_worker_phase,ready,w0"] == 1
    assert found["catenary_plan_worker_restarts,w0"] == 0
    assert found["catenary_plan_replicas_wanted,fast"] == found["catenary_plan_replicas_awake,fast"] == 1


def of_the_profiler(found: dict[str, float]) -> None:
    assert found["catenary_profile_calls_total,fast"] == 6
    assert found["catenary_profile_correction,fast"] == 1
    assert found["catenary_profile_measured_timestamp_seconds,fast"] == 0
    assert found["catenary_profile_measuring,fast"] == 0
    assert found["catenary_profile_error,fast"] >= 0


CHECKS: dict[str, Callable[[dict[str, float]], None]] = {
    "gateway": of_the_gateway,
    "router": of_the_router,
    "worker": of_the_worker,
    "provisioner": of_the_provisioner,
    "profiler": of_the_profiler,
}
