"""A worker process from its start to its end: owners and epochs, reservations, unloading, SIGTERM."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from redis.asyncio import Redis
from worker_config import config, fixed
from worker_process import WorkerProcess, gateway_side, snapshot_where, state_is, until_awake, worker_process

from catenary.runtime.clock import now
from catenary.runtime.rpc import channel, error_info
from catenary.runtime.store.workers import WorkerRegistry
from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub


@pytest.fixture
async def own(store_url: str, redis: Redis, tmp_path: Path) -> AsyncIterator[WorkerProcess]:
    """A worker that the test may end or leave in any state."""
    with worker_process(config(tmp_path, store_url, "own"), tmp_path) as process:
        await until_awake(process.address, "noop")
        yield process


@pytest.fixture
async def own_stub(own: WorkerProcess) -> AsyncIterator[WorkerServiceStub]:
    async with channel(own.address) as connection:
        yield WorkerServiceStub(connection)


async def test_a_router_of_a_lower_epoch_is_refused(own: WorkerProcess, own_stub: WorkerServiceStub) -> None:
    await snapshot_where(own_stub, lambda _: True, router_epoch=5)
    async with gateway_side(own.address) as gateway:
        end = await (await gateway.start("r/a", router_epoch=4)).ended()
        assert end.finish_reason == pb.FINISH_REASON_STALE_EPOCH
        assert "router epoch 4 is over; 5 is known" in end.error
        assert (await (await gateway.start("r/b", router_epoch=5)).ended()).finish_reason != end.finish_reason


async def test_a_new_owner_of_a_run_takes_over_its_calls(own: WorkerProcess) -> None:
    async with gateway_side(own.address) as old, gateway_side(own.address, "g1") as new:
        first = await old.start("r/a", sampling=fixed(400))
        await first.first.wait()
        second = await new.start("r/a", run_epoch=2, attempt=2, sampling=fixed(5))
        assert (await first.ended()).finish_reason == pb.FINISH_REASON_STALE_EPOCH
        assert (await second.ended()).finish_reason == pb.FINISH_REASON_LENGTH
        late = await old.start("r/b", run_epoch=1)
        assert (await late.ended()).finish_reason == pb.FINISH_REASON_STALE_EPOCH


async def test_a_reserved_replica_serves_its_holder_alone(own: WorkerProcess, own_stub: WorkerServiceStub) -> None:
    await own_stub.ReserveReplica(pb.ReserveReplicaRequest(model="m", reserved=True, holder="profiler"))
    async with gateway_side(own.address) as other, gateway_side(own.address, "profiler") as holder:
        refused = await (await other.start("r/a")).ended()
        assert refused.finish_reason == pb.FINISH_REASON_REPLICA_DRAINING
        assert (await (await holder.start("p/a", sampling=fixed(4))).ended()).output_tokens == 4
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await own_stub.ReserveReplica(pb.ReserveReplicaRequest(model="m", reserved=True, holder="another"))
    assert "set aside for 'profiler'" in error_info(refusal.value).message
    await own_stub.ReserveReplica(pb.ReserveReplicaRequest(model="m", reserved=False, holder="profiler"))


async def test_a_command_for_another_generation_is_refused(own_stub: WorkerServiceStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await own_stub.SleepModel(pb.SleepModelRequest(model="m", expected_generation=77))
    assert refusal.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "generation 2 (AWAKE), not 77" in error_info(refusal.value).message


async def test_an_unloaded_model_can_be_loaded_again(own: WorkerProcess, own_stub: WorkerServiceStub) -> None:
    unloaded = await own_stub.UnloadModel(pb.UnloadModelRequest(model="m"))
    assert unloaded.replica.state == pb.REPLICA_STATE_DEAD
    await own_stub.LoadModel(pb.LoadModelRequest(model="m"))
    await snapshot_where(own_stub, state_is(pb.REPLICA_STATE_AWAKE))


async def test_the_worker_is_registered_and_leaves_with_sigterm(own: WorkerProcess, redis: Redis) -> None:
    registry = WorkerRegistry(redis)
    assert own.address in [entry.address for entry in await registry.list() if entry.worker_id == "own"]
    own.terminate()
    assert await own.ended() == 0
    assert "own" not in [entry.worker_id for entry in await registry.list()]


async def test_sigterm_lets_running_calls_finish_and_refuses_new_ones(
    own: WorkerProcess, own_stub: WorkerServiceStub
) -> None:
    async with gateway_side(own.address) as gateway:
        call = await gateway.start("r/a", sampling=fixed(100))
        await call.first.wait()
        own.terminate()
        snapshot = await snapshot_where(own_stub, lambda snapshot: snapshot.draining)
        assert {replica.state for replica in snapshot.replicas} == {pb.REPLICA_STATE_DRAINING}
        refused = await (await gateway.start("r/b")).ended()
        assert refused.finish_reason == pb.FINISH_REASON_REPLICA_DRAINING
        assert (await call.ended()).output_tokens == 100
        assert await own.ended() == 0


async def test_calls_that_outlast_the_drain_timeout_are_aborted(store_url: str, redis: Redis, tmp_path: Path) -> None:
    settings = config(tmp_path, store_url, "own", drain_timeout_s=0.2)
    with worker_process(settings, tmp_path) as worker:
        await until_awake(worker.address)
        async with gateway_side(worker.address) as gateway:
            call = await gateway.start("r/a", sampling=fixed(1900))
            await call.first.wait()
            worker.terminate()
            end = await call.ended()
        assert end.finish_reason == pb.FINISH_REASON_ABORTED
        assert "drain_timeout_s" in end.error
        assert await worker.ended() == 0


async def test_a_drain_request_ends_the_process_when_it_is_done(
    own: WorkerProcess, own_stub: WorkerServiceStub
) -> None:
    assert (await own_stub.Drain(pb.DrainRequest())).num_calls == 0
    assert await own.ended() == 0


async def test_a_model_asked_for_while_another_one_starts_waits_until_that_sleeps(
    store_url: str, redis: Redis, tmp_path: Path
) -> None:
    settings = config(tmp_path, store_url, "own")
    settings["workers"][0]["one_awake"] = True
    slow_start = {"model": "noop", "origin": "emulated", "engine": "emulated", "start_s": 1.0, "sleep_s": 0.3}
    (tmp_path / "noop.json").write_text(json.dumps(slow_start))
    with worker_process(settings, tmp_path) as worker:
        async with channel(worker.address) as connection:
            stub = WorkerServiceStub(connection)
            await snapshot_where(stub, state_is(pb.REPLICA_STATE_LOADING, "noop"))
            asked = await stub.LoadModel(pb.LoadModelRequest(model="m"))
            assert asked.replica.state == pb.REPLICA_STATE_DEAD
            begun = await snapshot_where(stub, lambda snapshot: not state_is(pb.REPLICA_STATE_DEAD, "m")(snapshot))
            assert state_is(pb.REPLICA_STATE_ASLEEP, "noop")(begun)
            await snapshot_where(stub, state_is(pb.REPLICA_STATE_AWAKE, "m"))


async def test_cold_weights_are_read_before_a_wake_or_by_it(store_url: str, redis: Redis, tmp_path: Path) -> None:
    settings = config(tmp_path, store_url, "own")
    profile = {"model": "m", "origin": "emulated", "engine": "emulated", "reload_s": 0.1, "prefetch_s": 0.6}
    (tmp_path / "m.json").write_text(json.dumps(profile))
    with worker_process(settings, tmp_path) as worker:
        await until_awake(worker.address, "m")
        async with channel(worker.address) as connection:
            stub = WorkerServiceStub(connection)

            async def wake_s() -> float:
                began = now()
                await stub.WakeModel(pb.WakeModelRequest(model="m"))
                return now() - began

            asleep = await stub.SleepModel(pb.SleepModelRequest(model="m", level=2))
            assert asleep.replica.weights_cold
            assert await wake_s() >= 0.7
            await stub.SleepModel(pb.SleepModelRequest(model="m", level=2))
            assert (await stub.PrefetchModel(pb.PrefetchModelRequest(model="m"))).duration_s >= 0.6
            await snapshot_where(stub, lambda snapshot: not any(r.weights_cold for r in snapshot.replicas))
            assert 0.1 <= await wake_s() < 0.6
            assert (await stub.PrefetchModel(pb.PrefetchModelRequest(model="m", cold=True))).duration_s >= 0.6
            assert not (await stub.SleepModel(pb.SleepModelRequest(model="m", level=1))).replica.weights_cold
