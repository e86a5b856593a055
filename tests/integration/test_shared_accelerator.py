"""Two models awake together on one worker of a loopback cluster, and a third that does not fit beside them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from shared_workers import MODELS, write_config
from whole_cluster import chain, events_of, kinds

from catenary.model.sizes import GIB
from catenary.runtime.cluster import Cluster
from catenary.runtime.rpc import channel
from catenary.v1 import gateway_service_pb2_grpc as rpc
from catenary.v1.worker_service_pb2 import REPLICA_STATE_AWAKE, WakeModelRequest
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub

TOKENS = 20


def configured(folder: Path) -> Path:
    """Three models of 4 GiB each on a worker with 10 GiB, of which two may be awake together."""
    return write_config(
        folder,
        TOKENS,
        ["w0"],
        profile={"sharing_loss": 0.4, "peak_bytes": 4 * GIB},
        worker={"memory_gib": 10},
        provisioner={"awake_together": 2},
    )


async def awake(cluster: Cluster) -> dict[str, str]:
    """By model that is awake, its worker's address."""
    plan = await cluster.plan()
    return {
        replica.model: worker.snapshot.address
        for worker in (plan.workers if plan is not None else ())
        for replica in worker.snapshot.replicas
        if replica.state == REPLICA_STATE_AWAKE
    }


async def _until_awake(cluster: Cluster, wanted: set[str]) -> None:
    while True:
        if set(await awake(cluster)) == wanted:
            return
        await asyncio.sleep(0.05)


@pytest.mark.timeout(90)
async def test_a_model_wakes_beside_another_and_a_third_is_refused_with_the_figures(tmp_path: Path) -> None:
    cluster = Cluster(configured(tmp_path))
    await cluster.start()
    try:
        await asyncio.wait_for(_until_awake(cluster, {"left"}), 20)
        async with channel(cluster.addresses.gateway) as connection:
            stub = rpc.GatewayServiceStub(connection)
            runs = []
            for number in range(20):
                request = chain(deadline_s=20, model=MODELS[number % 2], tokens=TOKENS)
                runs.append(asyncio.create_task(events_of(stub, request)))
                await asyncio.sleep(0.05)
            for events in await asyncio.gather(*runs):
                assert kinds(events)[-1] == "run_finished"
        found = await awake(cluster)
        assert set(found) == {"left", "middle"}
        plan = await cluster.plan()
        assert plan is not None
        assert any("w0 wakes middle beside left" in reason for reason in plan.reasons)
        async with channel(found["left"]) as connection:
            with pytest.raises(grpc.RpcError) as refused:
                await WorkerServiceStub(connection).WakeModel(WakeModelRequest(model="right"))
        assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        expected = "model 'right' needs 4.0 GiB awake; 8.0 GiB of 10.0 GiB are taken by left, middle"
        assert expected in str(refused.value.details())
    finally:
        await cluster.stop()
