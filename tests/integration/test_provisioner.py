"""The provisioner over gRPC and a real store, with workers that register themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest
from fake_worker import FakeWorker
from redis.asyncio import Redis

from catenary.runtime.config import Config
from catenary.runtime.health import wait_serving
from catenary.runtime.rpc import channel, error_info
from catenary.runtime.store.lease import Lease
from catenary.runtime.store.plans import PlanStore
from catenary.runtime.store.workers import WorkerRegistry
from catenary.v1 import provisioner_service_pb2 as pb
from catenary.v1 import worker_service_pb2 as worker_pb
from catenary.v1.provisioner_service_pb2_grpc import ProvisionerServiceStub
from catenary_provisioner.service import LEASE_NAME, LeaseTaken, ProvisionerService


def config(store_url: str, replica_lease_s: float = 60.0) -> Config:
    return Config.model_validate(
        {
            "store": {"url": store_url},
            "provisioner": {
                "address": "127.0.0.1:0",
                "cluster": "static",
                "lease_ttl_s": 2.0,
                "backoff_s": 0.1,
                "replica_lease_s": replica_lease_s,
            },
            "models": {"small": {"engine": "emulated"}},
            "workers": [{"id": "w0", "models": ["small"]}],
            "worker": {"heartbeat_s": 0.1},
        }
    )


@asynccontextmanager
async def running(settings: Config, name: str = "p0") -> AsyncIterator[ProvisionerService]:
    service = ProvisionerService(settings, None, name)
    try:
        await service.start()
        yield service
    finally:
        await service.stop()


@pytest.fixture
async def worker(redis: Redis) -> AsyncIterator[FakeWorker]:
    fake = FakeWorker("w0", "small")
    await fake.server.start()
    await WorkerRegistry(redis).publish("w0", fake.server.address, 1, 60.0)
    yield fake
    await fake.server.stop(0.0)


@pytest.fixture
async def stub(redis: Redis, worker: FakeWorker, store_url: str) -> AsyncIterator[ProvisionerServiceStub]:
    async with running(config(store_url, replica_lease_s=1.0)) as service, channel(service.address) as connection:
        await asyncio.wait_for(wait_serving(service.address), 30)
        yield ProvisionerServiceStub(connection)


async def plan_where(stub: ProvisionerServiceStub, wanted: Callable[[pb.PlannedWorker], bool]) -> pb.Plan:
    """The first plan whose one worker is as wanted."""
    for _ in range(200):
        response: pb.GetPlanResponse = await stub.GetPlan(pb.GetPlanRequest())
        plan = response.plan
        if len(plan.workers) == 1 and wanted(plan.workers[0]):
            return plan
        await asyncio.sleep(0.05)
    raise AssertionError(f"no such plan; the last one: {plan}")


def is_awake(worker: pb.PlannedWorker) -> bool:
    return any(replica.state == worker_pb.REPLICA_STATE_AWAKE for replica in worker.snapshot.replicas)


async def test_a_worker_that_registers_is_in_the_plan_and_the_plan_in_the_store(
    stub: ProvisionerServiceStub, redis: Redis, worker: FakeWorker
) -> None:
    plan = await plan_where(stub, is_awake)
    (planned,) = plan.workers
    assert (planned.worker_id, planned.phase, planned.address) == ("w0", "external", worker.server.address)
    published = None
    for _ in range(100):
        published = await PlanStore(redis).get()
        if published is not None and published.revision >= plan.revision:
            break
        await asyncio.sleep(0.05)
    assert published is not None
    assert (published.epoch, published.revision) == (1, plan.revision)
    assert published.HasField("update_time")


async def test_a_replica_is_set_aside_and_given_back(stub: ProvisionerServiceStub, worker: FakeWorker) -> None:
    await plan_where(stub, is_awake)
    grant = await stub.AcquireReplica(pb.AcquireReplicaRequest(model="small", holder="p"))
    assert (grant.worker_id, grant.worker_address, grant.lease_s) == ("w0", worker.server.address, 1.0)
    assert worker.replicas["small"].reserved
    with pytest.raises(grpc.RpcError) as refused:
        await stub.AcquireReplica(pb.AcquireReplicaRequest(model="small", holder="q"))
    assert error_info(refused.value).message == "model 'small': all 1 awake replicas are set aside, by p"
    await stub.ReleaseReplica(pb.ReleaseReplicaRequest(model="small", worker_id="w0", holder="p"))
    await plan_where(stub, lambda planned: not planned.snapshot.replicas[0].reserved)


async def test_a_replica_goes_back_when_its_holder_vanishes(stub: ProvisionerServiceStub, worker: FakeWorker) -> None:
    await plan_where(stub, is_awake)
    await stub.AcquireReplica(pb.AcquireReplicaRequest(model="small", holder="p"))
    await plan_where(stub, lambda planned: planned.snapshot.replicas[0].reserved)
    plan = await plan_where(stub, lambda planned: not planned.snapshot.replicas[0].reserved)
    assert any("p no longer asks for it" in reason for reason in plan.reasons)


async def test_an_empty_holder_is_refused_by_name(stub: ProvisionerServiceStub) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        await stub.AcquireReplica(pb.AcquireReplicaRequest(model="small"))
    info = error_info(refused.value)
    assert (info.code, info.message) == (grpc.StatusCode.INVALID_ARGUMENT, "holder: is empty; give a name")


async def test_a_dead_engine_is_loaded_again(stub: ProvisionerServiceStub, worker: FakeWorker) -> None:
    await plan_where(stub, is_awake)
    worker.die("small")
    plan = await plan_where(stub, lambda planned: planned.snapshot.replicas[0].generation == 3)
    assert any("loads small again, small: out of memory" in reason for reason in plan.reasons)


async def test_a_standby_takes_over_with_a_higher_epoch(redis: Redis, store_url: str, worker: FakeWorker) -> None:
    settings = config(store_url)
    async with AsyncExitStack() as services:
        first = ProvisionerService(settings, None, "p0")
        await first.start()
        await asyncio.wait_for(wait_serving(first.address), 30)
        standby = await services.enter_async_context(running(settings, "p1"))
        stub = ProvisionerServiceStub(await services.enter_async_context(channel(standby.address)))
        with pytest.raises(grpc.RpcError) as refused:
            await stub.GetPlan(pb.GetPlanRequest())
        assert error_info(refused.value).reason == "NOT_ACTIVE"
        await first.stop()
        await asyncio.wait_for(wait_serving(standby.address), 30)
        assert (await plan_where(stub, is_awake)).epoch == 2


async def test_a_provisioner_whose_lease_was_taken_ends(store_url: str, redis: Redis, worker: FakeWorker) -> None:
    async with running(config(store_url)) as service:
        await asyncio.wait_for(wait_serving(service.address), 30)
        await redis.flushall()
        other = Lease(redis, LEASE_NAME, "other", "h:1", 60.0)
        assert await other.acquire()
        with pytest.raises(LeaseTaken):
            await asyncio.wait_for(service.finished(), 30)
