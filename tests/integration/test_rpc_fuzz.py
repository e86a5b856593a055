"""Damaged requests of every RPC get a clear status with its reason, soon.

CATENARY_TEST_EXAMPLES is the number of requests per RPC; ``make fuzz`` sends 10,000.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

import grpc
import pytest
import pytest_asyncio
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from whole_cluster import chain, events_of, write_config

from catenary.runtime.cluster import Cluster
from catenary.runtime.rpc import channel, error_info
from catenary.v1 import dispatch_pb2, profiler_service_pb2, provisioner_service_pb2, router_service_pb2, run_pb2
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import gateway_service_pb2_grpc as rpc
from catenary.v1 import worker_service_pb2 as worker_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(3_600)]

EXAMPLES = int(os.environ.get("CATENARY_TEST_EXAMPLES", "15"))
FUZZ = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
MAX_SECONDS = 0.1
TRIES = 5
CLEAR = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.FAILED_PRECONDITION,
}


class Rpc(NamedTuple):
    """``kind``: unary or stream of requests, unary or stream of responses."""

    service: str
    method: str
    request: Message
    kind: str = "unary_unary"


def offer() -> dispatch_pb2.DispatchCallsRequest:
    request = dispatch_pb2.DispatchCallsRequest(gateway_id="fuzz")
    request.offers.add(call_id="run/a", attempt=1, model="fast", prompt_tokens=3, max_tokens=2)
    return request


def start() -> worker_pb2.GenerateRequest:
    request = worker_pb2.GenerateRequest(gateway_id="fuzz")
    request.starts.add(call_id="run/a", attempt=1, model="fast", prompt_token_ids=[1, 2], sampling={"max_tokens": 2})
    return request


def reported() -> profiler_service_pb2.ReportCallsRequest:
    request = profiler_service_pb2.ReportCallsRequest()
    request.calls.add(model="fast", worker_id="w0", prompt_tokens=3, output_tokens=2, service_s=0.1, predicted_s=0.1)
    return request


RPCS = (
    Rpc("Gateway", "SubmitWorkflow", chain(tokens=2), "unary_stream"),
    Rpc("Gateway", "RegisterWorkflow", pb.RegisterWorkflowRequest(workflow=chain().workflow)),
    Rpc("Gateway", "ExplainWorkflow", pb.ExplainWorkflowRequest(workflow=chain().workflow)),
    Rpc("Gateway", "GetRun", pb.GetRunRequest(run_id="short")),
    Rpc("Gateway", "ListRuns", pb.ListRunsRequest(page_size=10, workflow="chain")),
    Rpc("Gateway", "CancelRun", pb.CancelRunRequest(run_id="short", reason="enough")),
    Rpc("Gateway", "WatchRun", pb.WatchRunRequest(run_id="short", after_sequence=1), "unary_stream"),
    Rpc("Gateway", "ListModels", pb.ListModelsRequest()),
    Rpc("Router", "GetPools", router_service_pb2.GetPoolsRequest()),
    Rpc("Router", "DispatchCalls", offer(), "stream_stream"),
    Rpc("Worker", "Generate", start(), "stream_stream"),
    Rpc("Worker", "PrefetchModel", worker_pb2.PrefetchModelRequest(model="fast")),
    Rpc("Worker", "WakeModel", worker_pb2.WakeModelRequest(model="fast")),
    Rpc("Profiler", "GetProfile", profiler_service_pb2.GetProfileRequest(model="fast")),
    Rpc("Profiler", "ListProfiles", profiler_service_pb2.ListProfilesRequest()),
    Rpc("Profiler", "ReportCalls", reported()),
    Rpc("Provisioner", "GetPlan", provisioner_service_pb2.GetPlanRequest()),
    Rpc("Provisioner", "ReleaseReplica", provisioner_service_pb2.ReleaseReplicaRequest(model="fast", worker_id="w0")),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with Cluster(write_config(tmp_path_factory.mktemp("fuzz"))) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channels(cluster: Cluster) -> AsyncIterator[dict[str, grpc.aio.Channel]]:
    plan = await cluster.plan()
    assert plan is not None
    addresses = {name.capitalize(): getattr(cluster.addresses, name) for name in ("gateway", "router", "profiler")}
    addresses |= {"Provisioner": cluster.addresses.provisioner, "Worker": plan.workers[0].address}
    opened = {name: channel(address) for name, address in addresses.items()}
    yield opened
    await asyncio.gather(*(connection.close() for connection in opened.values()))


@pytest.mark.parametrize("target", RPCS, ids=lambda target: f"{target.service}.{target.method}")
@FUZZ
@given(data=st.data())
async def test_damaged_requests_get_a_clear_status_soon(
    channels: dict[str, grpc.aio.Channel], target: Rpc, data: st.DataObject
) -> None:
    content = bytearray(target.request.SerializeToString())
    for _ in range(data.draw(st.integers(0, 4))):
        position = data.draw(st.integers(0, max(0, len(content) - 1)))
        content[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    for _ in range(TRIES):
        began = time.monotonic()
        code, reason = await send(channels[target.service], target, bytes(content))
        took_s = time.monotonic() - began
        assert code in CLEAR
        assert reason or code is grpc.StatusCode.OK
        if took_s < MAX_SECONDS:
            return
    raise AssertionError(f"takes {took_s:.3f} s")


async def test_after_all_that_runs_go_through(channels: dict[str, grpc.aio.Channel]) -> None:
    stub = rpc.GatewayServiceStub(channels["Gateway"])
    results = await asyncio.gather(*(events_of(stub, chain()) for _ in range(10)))
    assert {events[-1].run_finished.outcome for events in results} == {run_pb2.OUTCOME_SUCCEEDED}


async def send(connection: grpc.aio.Channel, target: Rpc, content: bytes) -> tuple[grpc.StatusCode, str]:
    """The status and reason that the bytes get; a stream is left after its first message."""
    method = f"/catenary.v1.{target.service}Service/{target.method}"
    try:
        if target.kind == "unary_unary":
            await connection.unary_unary(method)(content, timeout=20)
        elif target.kind == "unary_stream":
            await first_of(connection.unary_stream(method)(content, timeout=20))
        else:
            await first_of(connection.stream_stream(method)(iter([content]), timeout=20))
    except grpc.aio.AioRpcError as error:
        info = error_info(error)
        return info.code, info.reason
    return grpc.StatusCode.OK, ""


async def first_of(stream: grpc.aio.UnaryStreamCall) -> None:  # type: ignore[type-arg]
    await stream.read()
    stream.cancel()
