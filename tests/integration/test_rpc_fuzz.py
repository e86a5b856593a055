"""Damaged requests of every RPC get a clear status with its reason, soon.

CATENARY_TEST_EXAMPLES is the number of requests per RPC; ``make fuzz`` sends 10,000.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from damage import damaged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rpc_requests import ENGINE, LAST_EPOCH, RELEASED, RPCS, Rpc
from whole_cluster import chain, events_of, write_config
from worker_config import STEP_S, fixed
from worker_config import config as worker_config
from worker_process import WorkerProcess, gateway_side, snapshot_where, until_awake, worker_process

from catenary.runtime.cluster import Cluster
from catenary.runtime.rpc import channel, error_info
from catenary.v1 import gateway_service_pb2_grpc as rpc
from catenary.v1 import run_pb2
from catenary.v1 import worker_service_pb2 as worker_pb2
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(3_600)]

EXAMPLES = int(os.environ.get("CATENARY_TEST_EXAMPLES", "15"))
FUZZ = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
MAX_SECONDS = 0.1
TRIES = 10
PAUSE_S = 0.05
TIMEOUT_S = 20.0
MANY_TOKENS = 1 << 30
HOURS_STEP_S = 4.0
UP = (worker_pb2.REPLICA_STATE_AWAKE, worker_pb2.REPLICA_STATE_ASLEEP)
CLEAR = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.FAILED_PRECONDITION,
}
Channels = dict[str, grpc.aio.Channel]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    folder = tmp_path_factory.mktemp("fuzz")
    profiler = {"address": "127.0.0.1:0", "profiles_dir": str(folder / "profiles")}
    async with Cluster(write_config(folder, profiler=profiler)) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workers(
    store_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[WorkerProcess, WorkerProcess]]:
    """Two of no cluster, since the commands change them. The second has a call of hours, so it drains as long."""

    def worker(name: str, step_s: float) -> AbstractContextManager[WorkerProcess]:
        folder = tmp_path_factory.mktemp(name)
        made = worker_config(folder, store_url, name, drain_timeout_s=86_400.0)
        profile = Path(made["models"]["m"]["profile"])
        profile.write_text(json.dumps({**json.loads(profile.read_text()), "step_base_s": step_s}))
        return worker_process(made, folder)

    with worker("fuzzed", STEP_S) as fuzzed, worker("leaving", HOURS_STEP_S) as leaving:
        await asyncio.gather(until_awake(fuzzed.address, "noop"), until_awake(leaving.address))
        async with gateway_side(leaving.address) as side:
            await (await side.start("r/endless", sampling=fixed(MANY_TOKENS))).first.wait()
            yield fuzzed, leaving


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channels(cluster: Cluster, workers: tuple[WorkerProcess, WorkerProcess]) -> AsyncIterator[Channels]:
    names = ("gateway", "router", "profiler", "provisioner")
    addresses = {name.capitalize(): getattr(cluster.addresses, name) for name in names}
    addresses |= {"Worker": workers[0].address, "LeavingWorker": workers[1].address}
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(channel(address)) for name, address in addresses.items()}


@pytest.mark.parametrize("target", RPCS, ids=lambda target: f"{target.service}.{target.method}")
@FUZZ
@given(data=st.data())
async def test_damaged_requests_get_a_clear_status_soon(channels: Channels, target: Rpc, data: st.DataObject) -> None:
    content = data.draw(damaged(target.request))
    connection = channels[target.server or target.service]
    for _ in range(TRIES):
        await prepare(connection, target)
        began = time.monotonic()
        code, reason = await send(connection, target, content)
        took_s = time.monotonic() - began
        assert code in CLEAR
        assert reason or code is grpc.StatusCode.OK
        if took_s < MAX_SECONDS:
            return
        await asyncio.sleep(PAUSE_S)  # others may have the processor for a while
    raise AssertionError(f"takes {took_s:.3f} s")


async def test_after_all_that_runs_go_through_and_no_process_has_ended(
    cluster: Cluster, channels: Channels, workers: tuple[WorkerProcess, WorkerProcess]
) -> None:
    stub = rpc.GatewayServiceStub(channels["Gateway"])
    results = await asyncio.gather(*(events_of(stub, chain()) for _ in range(10)))
    assert {events[-1].run_finished.outcome for events in results} == {run_pb2.OUTCOME_SUCCEEDED}
    plan = await cluster.plan()
    assert plan is not None
    assert [worker.restarts for worker in plan.workers] == [0, 0, 0]
    assert [worker.process.poll() for worker in workers] == [None, None]
    await serves_calls(workers[0])


async def serves_calls(worker: WorkerProcess) -> None:
    """In whatever state the commands left its replica."""
    async with channel(worker.address) as connection:
        stub = WorkerServiceStub(connection)
        await stub.LoadModel(worker_pb2.LoadModelRequest(model=ENGINE))
        await snapshot_where(stub, lambda snapshot: any(r.model == ENGINE and r.state in UP for r in snapshot.replicas))
        await stub.WakeModel(worker_pb2.WakeModelRequest(model=ENGINE))
        await stub.ReserveReplica(RELEASED)
    async with gateway_side(worker.address, "after") as side:
        call = await side.start("r/after", router_epoch=LAST_EPOCH, model=ENGINE, sampling=fixed(3))
        assert (await call.ended()).output_tokens == 3


async def prepare(connection: Any, target: Rpc) -> None:
    if target.before is not None:
        method, request = target.before
        with suppress(grpc.aio.AioRpcError):
            path = f"/catenary.v1.{target.service}Service/{method}"
            await connection.unary_unary(path)(request.SerializeToString(), timeout=TIMEOUT_S)


async def send(connection: Any, target: Rpc, content: bytes) -> tuple[grpc.StatusCode, str]:
    """The status and reason that the bytes get; a stream is left after its first message."""
    try:
        if target.kind == "unary_unary":
            await connection.unary_unary(target.path)(content, timeout=TIMEOUT_S)
        elif target.kind == "unary_stream":
            await first_of(connection.unary_stream(target.path)(content, timeout=TIMEOUT_S))
        else:
            await first_of(connection.stream_stream(target.path)(iter([content]), timeout=TIMEOUT_S))
    except grpc.aio.AioRpcError as error:
        info = error_info(error)
        return info.code, info.reason
    return grpc.StatusCode.OK, ""


async def first_of(stream: grpc.aio.UnaryStreamCall[Any, Any] | grpc.aio.StreamStreamCall[Any, Any]) -> None:
    await stream.read()
    stream.cancel()
