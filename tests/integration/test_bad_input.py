"""Wrong requests get a status that says what is wrong, and disturb nothing."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
import pytest_asyncio
from whole_cluster import chain, events_of, write_config

from catenary.runtime.cluster import Cluster
from catenary.runtime.rpc import RpcErrorInfo, channel, error_info
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


def mapped(items: int, max_items: int = 0) -> Change:
    def change(request: pb.SubmitWorkflowRequest) -> None:
        request.workflow.inputs["items"] = workflow_pb2.INPUT_TYPE_LIST
        request.workflow.calls[0].for_each = "{{ inputs.items }}"
        request.workflow.calls[1].model.prompt = "{{ first[0].text }}"
        if max_items:
            request.workflow.calls[0].max_items = max_items
        request.inputs.fields["items"].list_value.extend([1] * items)

    return change


def sampled(name: str, value: float) -> Change:
    def change(request: pb.SubmitWorkflowRequest) -> None:
        setattr(request.workflow.calls[0].model.sampling, name, value)

    return change


def objective(seconds: int, attainment: float = 0.9) -> Change:
    def change(request: pb.SubmitWorkflowRequest) -> None:
        request.workflow.slo.deadline.FromSeconds(seconds)
        request.workflow.slo.attainment = attainment

    return change


def nan_input(request: pb.SubmitWorkflowRequest) -> None:
    request.workflow.inputs["number"] = workflow_pb2.INPUT_TYPE_NUMBER
    request.inputs.fields["number"].number_value = math.nan


def long_run_id(request: pb.SubmitWorkflowRequest) -> None:
    request.run_id = "x" * 200


def long_tenant(request: pb.SubmitWorkflowRequest) -> None:
    request.tenant = "x" * 200


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        (first_prompt("x" * 10_000_000), "workflow", "bytes of text, over 1,048,576 (max_spec_bytes)"),
        (first_prompt("{{ 'x' * 1000000000 }}"), "calls.first.prompt", "'*' is not supported"),
        (first_prompt("{% for i in range(10**9) %}x{% endfor %}"), "calls.first.prompt", "{% for %} is not supported"),
        (first_prompt("{{ 'x' | center(1000000000) }}"), "calls.first.prompt", "unknown filter 'center'"),
        (first_prompt("{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}"), "calls.first.prompt", "more than 4,096 tokens"),
        (first_prompt("{{ unclosed"), "calls.first.prompt", ""),
        (deadline(0), "deadline", "is 0 s, must be over 0 and at most 86400 s"),
        (deadline(-5), "deadline", "is -5 s, must be over 0"),
        (deadline(0, -1), "deadline", "must be over 0"),
        (deadline(365 * 86_400), "deadline", "at most 86400 s"),
        (objective(-3), "slo.deadline", "is -3.0"),
        (objective(365 * 86_400), "slo.deadline", "at most 86400 s"),
        (objective(5, math.nan), "slo.attainment", "is nan"),
        (sampled("temperature", math.nan), "calls.first.temperature", "must be 0 to 2, is nan"),
        (sampled("max_tokens", 2**31 - 1), "calls.first.max_tokens", "1 to 32768, is 2147483647"),
        (nan_input, "inputs.number", "holds nan"),
        (calls(2_000), "calls", "has 2002 calls, over max_calls 256"),
        (unknown_model, "calls.first.model", "unknown model 'unheard-of'; known: fast, slow"),
        (no_workflow, "spec", "neither a workflow nor a workflow_name"),
        (undeclared_input, "inputs.nobody", "unknown input 'nobody'"),
        (cycle, "calls.second", "cycle: second -> first -> second"),
        (mapped(1, 1_000_000), "calls.first.max_items", "1 to 256 (max_items), is 1000000"),
        (mapped(1_000_000), "inputs", "bytes as a message; gateway.limits.max_inputs_bytes is"),
        (long_run_id, "run_id", "at most 128 characters"),
        (long_tenant, "tenant", "at most 64 characters"),
    ],
)
async def test_a_wrong_submission_is_refused_with_its_field_value_and_bound(
    stub: rpc.GatewayServiceStub, change: Change, field: str, says: str
) -> None:
    info = await refused(stub, change)
    assert info.code is grpc.StatusCode.INVALID_ARGUMENT
    assert info.reason in ("INVALID_ARGUMENT", "INVALID_WORKFLOW")
    assert info.metadata["field"] == field
    assert says in info.message


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (first_prompt("x" * 17_000_000), "RESOURCE_EXHAUSTED"),
        (unknown_workflow, "NOT_FOUND"),
        (deep_input, "INVALID_ARGUMENT"),
    ],
)
async def test_a_submission_that_cannot_be_read_or_names_nothing_is_refused(
    stub: rpc.GatewayServiceStub, change: Change, code: str
) -> None:
    info = await refused(stub, change)
    assert info.code.name == code
    assert info.message
    assert info.reason or code == "RESOURCE_EXHAUSTED"


async def refused(stub: rpc.GatewayServiceStub, change: Change) -> RpcErrorInfo:
    request = chain()
    change(request)
    began = time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await events_of(stub, request)
    assert time.monotonic() - began < 10
    return error_info(caught.value)


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


async def send(connection: Any, method: str, content: bytes) -> tuple[grpc.StatusCode, str]:
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
