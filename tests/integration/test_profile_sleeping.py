"""A model that sleeps is measured: woken in place of an idle one, and put back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from shared_workers import write_config
from whole_cluster import chain, events_of, kinds

from catenary.runtime.cluster import Cluster
from catenary.runtime.rpc import channel, error_info
from catenary.v1 import gateway_service_pb2_grpc as gateway_rpc
from catenary.v1 import profiler_service_pb2 as pb
from catenary.v1.profiler_service_pb2_grpc import ProfilerServiceStub
from catenary.v1.worker_service_pb2 import REPLICA_STATE_AWAKE

pytestmark = pytest.mark.asyncio(loop_scope="module")

STEP_S = 0.003
LONG = 800
"""Tokens of a call that is still there while a measurement is asked for."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """Three models on one worker, of which "left" is awake."""
    folder = tmp_path_factory.mktemp("cluster")
    config = write_config(folder, LONG, ["w0"], profile={"step_base_s": STEP_S})
    async with Cluster(config) as cluster:
        await until_awake(cluster, {"left"})
        yield cluster


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def profiler(cluster: Cluster) -> AsyncIterator[ProfilerServiceStub]:
    async with channel(cluster.addresses.profiler) as connection:
        yield ProfilerServiceStub(connection)


async def awake(cluster: Cluster) -> set[str]:
    plan = await cluster.plan()
    assert plan is not None
    return {r.model for worker in plan.workers for r in worker.snapshot.replicas if r.state == REPLICA_STATE_AWAKE}


async def until_awake(cluster: Cluster, wanted: set[str]) -> None:
    for _ in range(400):
        if await awake(cluster) == wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"awake are {await awake(cluster)}, not {wanted}")


@pytest.mark.timeout(60)
async def test_a_model_that_sleeps_is_measured_and_all_is_as_before(
    cluster: Cluster, profiler: ProfilerServiceStub
) -> None:
    updates = []
    async for update in profiler.RunProfile(pb.RunProfileRequest(model="right", quick=True)):
        updates.append(update)
        if update.done == 1:
            await until_awake(cluster, {"right"})
    assert updates[-1].profile.step_base_s == pytest.approx(STEP_S, rel=0.1)
    assert updates[-1].profile.wake_s >= 0.1
    assert updates[-1].profile.sharing_loss > 0
    await until_awake(cluster, {"left"})


@pytest.mark.timeout(60)
async def test_a_measurement_of_what_slept_leaves_all_as_before_where_it_is_cancelled(
    cluster: Cluster, profiler: ProfilerServiceStub
) -> None:
    call = profiler.RunProfile(pb.RunProfileRequest(model="right", quick=True))
    async for update in call:
        if update.done > 1:
            break
    call.cancel()
    await until_awake(cluster, {"left"})


@pytest.mark.timeout(60)
async def test_nothing_is_woken_beside_an_engine_that_works(cluster: Cluster, profiler: ProfilerServiceStub) -> None:
    async with channel(cluster.addresses.gateway) as connection:
        request = chain(deadline_s=40, model="left", tokens=LONG)
        run = asyncio.create_task(events_of(gateway_rpc.GatewayServiceStub(connection), request))
        await until_busy(cluster)
        with pytest.raises(grpc.RpcError) as refused:
            await drained(profiler.RunProfile(pb.RunProfileRequest(model="right", quick=True)))
        run_ended = await run
    info = error_info(refused.value)
    assert info.code is grpc.StatusCode.FAILED_PRECONDITION
    assert "it sleeps where nothing can be woken for it now: w0 (left has 1 calls)" in info.message
    assert kinds(run_ended)[-1] == "run_finished"
    assert await awake(cluster) == {"left"}


async def until_busy(cluster: Cluster) -> None:
    for _ in range(100):
        plan = await cluster.plan()
        if plan is not None and any(r.num_running for worker in plan.workers for r in worker.snapshot.replicas):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("no call runs after 5 s")


async def drained(updates: AsyncIterator[pb.RunProfileResponse]) -> None:
    async for _ in updates:
        pass
