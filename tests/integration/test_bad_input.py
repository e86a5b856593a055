"""Wrong requests get a status that says what is wrong, and disturb nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import grpc
import pytest
import pytest_asyncio
from whole_cluster import chain, events_of, write_config

from catenary.runtime.cluster import Cluster
from catenary.runtime.rpc import channel, error_info
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import gateway_service_pb2_grpc as rpc
from catenary.v1 import run_pb2, workflow_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVICE = "/catenary.v1.GatewayService/"
Change = Callable[[pb.SubmitWorkflowRequest], None]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with Cluster(write_config(tmp_path_factory.mktemp("bad"))) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def connection(cluster: Cluster) -> AsyncIterator[grpc.aio.Channel]:
    async with channel(cluster.addresses.gateway) as connection:
        yield connection


@pytest.fixture(scope="module")
def stub(connection: grpc.aio.Channel) -> rpc.GatewayServiceStub:
    return rpc.GatewayServiceStub(connection)


def first_prompt(text: str) -> Change:
    def change(request: pb.SubmitWorkflowRequest) -> None:
        request.workflow.calls[0].model.prompt = text

    return change


def deadline(seconds: int, nanos: int = 0) -> Change:
    def change(request: pb.SubmitWorkflowRequest) -> None:
        request.deadline.seconds, request.deadline.nanos = seconds, nanos

    return change


def calls(number: int) -> Change:
    def change(request: pb.SubmitWorkflowRequest) -> None:
        for index in range(number):
            call = request.workflow.calls.add(name=f"extra{index}")
            call.model.model, call.model.prompt = "fast", "x"

    return change


def unknown_model(request: pb.SubmitWorkflowRequest) -> None:
    request.workflow.calls[0].model.model = "unheard-of"


def no_workflow(request: pb.SubmitWorkflowRequest) -> None:
    request.ClearField("workflow")


def unknown_workflow(request: pb.SubmitWorkflowRequest) -> None:
    request.workflow_name = "unheard-of"


def undeclared_input(request: pb.SubmitWorkflowRequest) -> None:
    request.inputs["nobody"] = "asked"


def deep_input(request: pb.SubmitWorkflowRequest) -> None:
    value = request.inputs.fields["deep"]
    for _ in range(70):
        value = value.list_value.values.add()


def cycle(request: pb.SubmitWorkflowRequest) -> None:
    request.workflow.calls[0].model.prompt = "{{ second.text }}"


def huge_map(request: pb.SubmitWorkflowRequest) -> None:
    request.workflow.inputs["items"] = workflow_pb2.INPUT_TYPE_LIST
    request.workflow.calls[0].for_each = "{{ inputs.items }}"
    request.workflow.calls[0].max_items = 1_000_000


def many_items(request: pb.SubmitWorkflowRequest) -> None:
    request.workflow.inputs["items"] = workflow_pb2.INPUT_TYPE_LIST
    request.workflow.calls[0].for_each = "{{ inputs.items }}"
    request.inputs.fields["items"].list_value.extend([1] * 1_000_000)


def long_run_id(request: pb.SubmitWorkflowRequest) -> None:
    request.run_id = "x" * 200


def long_tenant(request: pb.SubmitWorkflowRequest) -> None:
    request.tenant = "x" * 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (first_prompt("x" * 10_000_000), "INVALID_ARGUMENT"),
        (first_prompt("x" * 17_000_000), "RESOURCE_EXHAUSTED"),
        (first_prompt("{{ 'x' * 1000000000 }}"), "INVALID_ARGUMENT"),
        (first_prompt("{% for i in range(10**9) %}x{% endfor %}"), "INVALID_ARGUMENT"),
        (first_prompt("{{ 'x' | center(1000000000) }}"), "INVALID_ARGUMENT"),
        (first_prompt("{{ unclosed"), "INVALID_ARGUMENT"),
        (deadline(0), "INVALID_ARGUMENT"),
        (deadline(-5), "INVALID_ARGUMENT"),
        (deadline(0, -1), "INVALID_ARGUMENT"),
        (deadline(365 * 86_400), "INVALID_ARGUMENT"),
        (calls(2_000), "INVALID_ARGUMENT"),
        (unknown_model, "INVALID_ARGUMENT"),
        (no_workflow, "INVALID_ARGUMENT"),
        (unknown_workflow, "NOT_FOUND"),
        (undeclared_input, "INVALID_ARGUMENT"),
        (deep_input, "INVALID_ARGUMENT"),
        (cycle, "INVALID_ARGUMENT"),
        (huge_map, "INVALID_ARGUMENT"),
        (many_items, "INVALID_ARGUMENT"),
        (long_run_id, "INVALID_ARGUMENT"),
        (long_tenant, "INVALID_ARGUMENT"),
    ],
)
async def test_a_wrong_submission_is_refused_with_its_reason(
    stub: rpc.GatewayServiceStub, change: Change, code: str
) -> None:
    request = chain()
    change(request)
    began = time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await events_of(stub, request)
    info = error_info(caught.value)
    assert info.code.name == code
    assert info.reason or code == "RESOURCE_EXHAUSTED"
    assert info.message
    assert time.monotonic() - began < 10


async def test_a_prompt_longer_than_the_context_fails_its_run_and_says_so(stub: rpc.GatewayServiceStub) -> None:
    request = chain()
    first_prompt("word " * 4_000)(request)
    finished = (await events_of(stub, request))[-1].run_finished
    assert finished.outcome == run_pb2.OUTCOME_FAILED
    assert "4000 tokens; fast holds 2048" in finished.reason


async def test_bytes_that_are_no_message_are_the_caller_s_fault(connection: grpc.aio.Channel) -> None:
    bad_utf8 = b"\x0a\x02\xff\xfe"
    for method in ("GetRun", "CancelRun", "ListRuns", "RegisterWorkflow", "ExplainWorkflow"):
        for content in (bad_utf8 if method in ("GetRun", "CancelRun") else b"\xff\xff", b"\x0a\xff\xff\xff\xff\x7f"):
            code, reason = await send(connection, method, content)
            assert (method, code, reason) == (method, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    for method in ("SubmitWorkflow", "WatchRun"):
        assert await send(connection, method, bad_utf8) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")


async def test_bounds_of_the_other_requests(stub: rpc.GatewayServiceStub) -> None:
    for call, request, code in (
        (stub.ListRuns, pb.ListRunsRequest(page_size=5_000), "INVALID_ARGUMENT"),
        (stub.ListRuns, pb.ListRunsRequest(page_token="nonsense"), "INVALID_ARGUMENT"),
        (stub.CancelRun, pb.CancelRunRequest(run_id="x", reason="x" * 2_000), "INVALID_ARGUMENT"),
        (stub.CancelRun, pb.CancelRunRequest(run_id="unheard-of"), "NOT_FOUND"),
        (stub.GetRun, pb.GetRunRequest(run_id="unheard-of\n\0"), "NOT_FOUND"),
        (stub.ExplainWorkflow, pb.ExplainWorkflowRequest(), "INVALID_ARGUMENT"),
        (stub.RegisterWorkflow, pb.RegisterWorkflowRequest(), "INVALID_ARGUMENT"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(request)
        info = error_info(caught.value)
        assert info.code.name == code
        assert info.reason


async def test_watching_from_beyond_any_number_shows_nothing(stub: rpc.GatewayServiceStub) -> None:
    request = chain()
    request.run_id = "short"
    await events_of(stub, request)
    watching = stub.WatchRun(pb.WatchRunRequest(run_id="short", after_sequence=2**64 - 1))
    assert [response async for response in watching] == []


async def test_after_all_that_runs_go_through(stub: rpc.GatewayServiceStub) -> None:
    results = await asyncio.gather(*(events_of(stub, chain()) for _ in range(10)))
    assert {events[-1].run_finished.outcome for events in results} == {run_pb2.OUTCOME_SUCCEEDED}


async def send(connection: grpc.aio.Channel, method: str, content: bytes) -> tuple[grpc.StatusCode, str]:
    """The status and reason that the bytes get; a stream is left after its first message."""
    try:
        if method in ("SubmitWorkflow", "WatchRun"):
            stream = connection.unary_stream(SERVICE + method)(content, timeout=20)
            await stream.read()
            stream.cancel()
        else:
            await connection.unary_unary(SERVICE + method)(content, timeout=20)
    except grpc.aio.AioRpcError as error:
        info = error_info(error)
        return info.code, info.reason
    return grpc.StatusCode.OK, ""
