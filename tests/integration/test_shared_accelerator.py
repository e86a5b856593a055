"""Two models awake together on one worker of a loopback cluster, and a third that does not fit beside them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import grpc
import pytest
import yaml
from whole_cluster import chain, events_of, kinds

from catenary.runtime.cluster import Cluster
from catenary.runtime.rpc import channel
from catenary.v1 import gateway_service_pb2_grpc as rpc
from catenary.v1.worker_service_pb2 import REPLICA_STATE_AWAKE, WakeModelRequest
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub

GIB = 1 << 30
MODELS = ("left", "middle", "right")
TOKENS = 20


def write_config(folder: Path) -> Path:
    """Three models of 4 GiB each on a worker with 10 GiB, of which two may be awake together."""
    models = {}
    for name in MODELS:
        profile = folder / f"{name}.json"
        fixed = {"model": name, "accelerator": "emulated", "engine": "emulated", "origin": "emulated"}
        speed = {"prefill_base_s": 0.001, "step_base_s": 0.01, "sleep_s": 0.05, "wake_s": 0.1, "sharing_loss": 0.4}
        profile.write_text(json.dumps({**fixed, **speed, "max_num_seqs": 8, "peak_bytes": 4 * GIB}))
        models[name] = {"engine": "emulated", "profile": str(profile), "max_num_seqs": 8}
        models[name]["default_output_tokens"] = TOKENS
    config = {
        "models": models,
        "workers": [{"id": "w0", "models": list(MODELS), "one_awake": True, "memory_gib": 10}],
        "store": {"data_dir": str(folder / "store")},
        "provisioner": {
            "address": "127.0.0.1:0",
            "policy": "risk",
            "awake_together": 2,
            "plan_interval_s": 0.2,
            "demand_interval_s": 0.1,
            "replica_price": 0.0,
        },
        **{name: {"address": "127.0.0.1:0"} for name in ("gateway", "router", "profiler")},
    }
    path = folder / "catenary.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


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
    cluster = Cluster(write_config(tmp_path))
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
