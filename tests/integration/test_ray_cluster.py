"""Workers on a Ray cluster of several nodes on this machine, of which one is killed under load.

Skipped where Ray is not installed: ``make ray-test`` has an environment with it.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from whole_cluster import chain, events_of, write_config

from catenary.model.outcome import Outcome
from catenary.runtime.cluster import Cluster
from catenary.runtime.rpc import channel
from catenary.runtime.wire.enums import OUTCOME_FROM_PROTO
from catenary.v1 import gateway_service_pb2_grpc as rpc

pytest.importorskip("ray", reason="Ray is not installed here; make ray-test has an environment with it")

NUM_CLIENTS = 6
RETURN_TIMEOUT_S = 90.0
pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def ray_nodes() -> Iterator[Any]:
    """A head without room for workers and four nodes with room for one each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.cluster_utils import Cluster as RayNodes

        nodes = RayNodes(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        for _ in range(4):
            nodes.add_node(num_cpus=1)
        yield nodes
        nodes.shutdown()


async def test_a_killed_node_loses_no_run_and_its_worker_comes_back_elsewhere(ray_nodes: Any, tmp_path: Path) -> None:
    provisioner = {"address": "127.0.0.1:0", "cluster": "ray", "ray_address": ray_nodes.address, "backoff_s": 0.2}
    config = write_config(tmp_path, provisioner=provisioner)
    async with Cluster(config) as cluster, channel(cluster.addresses.gateway) as connection:
        stub = rpc.GatewayServiceStub(connection)
        stopping = asyncio.Event()
        clients = [asyncio.create_task(client(stub, stopping)) for _ in range(NUM_CLIENTS)]
        await asyncio.sleep(2)
        victim = await worker_of_pool(cluster, "fast")
        await asyncio.to_thread(ray_nodes.remove_node, workers_of(ray_nodes)[victim], False)
        await until_lost(cluster, victim)
        plan = await cluster.wait_ready(RETURN_TIMEOUT_S)
        await asyncio.sleep(1)
        stopping.set()
        outcomes = [outcome for found in await asyncio.gather(*clients) for outcome in found]
    restarts = {worker.worker_id: worker.restarts for worker in plan.workers}
    assert restarts[victim] >= 1
    assert len(outcomes) > NUM_CLIENTS
    assert set(outcomes) == {Outcome.SUCCEEDED}
    assert not workers_of(ray_nodes)


async def client(stub: rpc.GatewayServiceStub, stopping: asyncio.Event) -> list[Outcome | None]:
    outcomes = []
    while not stopping.is_set():
        events = await events_of(stub, chain(deadline_s=120, tokens=40))
        outcomes.append(OUTCOME_FROM_PROTO.get(events[-1].run_finished.outcome))
    return outcomes


async def worker_of_pool(cluster: Cluster, model: str) -> str:
    plan = await cluster.plan()
    assert plan is not None
    return next(worker.worker_id for worker in plan.workers if model in worker.models)


async def until_lost(cluster: Cluster, worker_id: str) -> None:
    async with asyncio.timeout(60):
        while True:
            plan = await cluster.plan()
            if plan and any(w.worker_id == worker_id and (w.restarts or w.phase != "ready") for w in plan.workers):
                return
            await asyncio.sleep(0.1)


def workers_of(nodes: Any) -> dict[str, Any]:
    """The node of each worker process, by the worker's id."""
    found = {}
    for node in nodes.worker_nodes:
        for info in (info for infos in node.all_processes.values() for info in infos):
            for process in descendants(info.process.pid):
                command = process.cmdline()
                if "catenary_worker" in command:
                    found[command[command.index("--worker") + 1]] = node
    return found


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
