"""The asynchronous client against a scripted gateway."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from client_runs import SPEC, text_of
from fake_gateway import RUN, FakeGateway, Hold, admitted, ended, finished, good_run, numbered, refused, started

from catenary.client import CallFinished, CatenaryError, Client, RunAdmitted, RunFinished
from catenary.model.outcome import Outcome, PriorityClass, State
from catenary.model.problem import SpecError
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import run_pb2


async def test_a_run_yields_typed_events_and_a_result(gateway: FakeGateway) -> None:
    gateway.scripts = [good_run()]
    async with Client(gateway.address) as client, await client.submit(SPEC, {"article": "x"}, tokens=True) as handle:
        events = [event async for event in handle]
        run = await handle.result()
    assert isinstance(events[0], RunAdmitted)
    assert isinstance(events[-1], RunFinished)
    assert (text_of(events, "outline"), text_of(events, "facts")) == ("a b c", "d e")
    assert (run.outcome, run.met, run.deadline_s, run.e2e_s) == (Outcome.SUCCEEDED, True, 8.0, 3.0)
    assert run.output == {"text": "a b c"}
    assert [(str(call.ref), call.worker) for call in run.calls] == [("outline", "w0"), ("facts", "w1")]
    assert all(call.state is State.FINISHED for call in run.calls)


async def test_calls_come_in_the_workflow_s_order_and_map_items_by_index(gateway: FakeGateway) -> None:
    items = [finished("facts", index=10), finished("facts", index=2), finished("outline")]
    gateway.scripts = [numbered(admitted(), *items, ended())]
    async with Client(gateway.address) as client:
        run = await client.run(SPEC, {"article": "x"})
    assert [str(call.ref) for call in run.calls] == ["outline", "facts[2]", "facts[10]"]


async def test_calls_under_way_end_with_their_run(gateway: FakeGateway) -> None:
    gateway.scripts = [numbered(admitted(), started("outline"), ended(Outcome.EXPIRED, met=False, reason="too late"))]
    async with Client(gateway.address) as client:
        run = await client.run(SPEC, {"article": "x"})
    [call] = run.calls
    assert (call.state, call.outcome, call.error) == (State.FINISHED, Outcome.CANCELLED, "too late")


async def test_everything_about_a_run_reaches_the_gateway(gateway: FakeGateway) -> None:
    gateway.scripts = [good_run()]
    async with Client(gateway.address) as client:
        await client.run(
            SPEC,
            {"article": "x", "n": 3, "parts": ["a", {"b": None}]},
            run_id="mine",
            deadline_s=2.5,
            tenant="blue",
            priority=PriorityClass.CRITICAL,
            detach=True,
        )
    (request,) = gateway.sent(pb.SubmitWorkflowRequest)
    assert (request.run_id, request.tenant, request.priority) == ("mine", "blue", run_pb2.PRIORITY_CLASS_CRITICAL)
    assert (request.deadline.seconds, request.deadline.nanos) == (2, 500_000_000)
    assert (request.detach, request.stream_tokens) == (True, False)
    assert dict(request.inputs)["n"] == 3
    assert [call.name for call in request.workflow.calls] == ["outline", "facts"]


async def test_a_workflow_may_be_a_path_or_a_registered_name(gateway: FakeGateway, tmp_path: Path) -> None:
    path = tmp_path / "review.yaml"
    path.write_text(SPEC)
    gateway.scripts = [good_run(), good_run(), good_run()]
    async with Client(gateway.address) as client:
        await client.run(path)
        await client.run(str(path))
        await client.run("review", version="v1")
    by_path, by_text, by_name = gateway.sent(pb.SubmitWorkflowRequest)
    assert by_path.workflow == by_text.workflow
    assert (by_name.workflow_name, by_name.workflow_version) == ("review", "v1")


async def test_wrong_arguments_are_told_apart_before_a_gateway_is_asked(gateway: FakeGateway) -> None:
    async with Client(gateway.address) as client:
        with pytest.raises(SpecError, match=r"calls\.a\.modle: unknown field"):
            await client.run("{name: x, calls: {a: {modle: small, prompt: p}}}")
        with pytest.raises(ValueError, match=r"is no \.yaml path"):
            await client.run("what is this")
        with pytest.raises(ValueError, match=r"inputs\.article"):
            await client.run(SPEC, {"article": object()})
        with pytest.raises(ValueError, match="deadline_s: must be over 0 and finite, is 0"):
            await client.run(SPEC, deadline_s=0)
        with pytest.raises(FileNotFoundError):
            await client.run("missing.yaml")
    assert not gateway.requests


async def test_a_refused_run_is_a_result_with_its_quote(gateway: FakeGateway) -> None:
    gateway.scripts = [numbered(refused())]
    async with Client(gateway.address) as client:
        run = await client.run(SPEC)
    assert run.outcome is Outcome.REJECTED_INFEASIBLE
    assert run.quote is not None
    assert run.quote.deadline_s == 11.0
    assert "has 1 s" in run.reason


async def test_a_refused_request_raises_with_its_reason(gateway: FakeGateway) -> None:
    gateway.refusal = (grpc.StatusCode.INVALID_ARGUMENT, "inputs.article: is required", "INVALID_WORKFLOW")
    async with Client(gateway.address) as client:
        with pytest.raises(CatenaryError) as caught:
            await client.run(SPEC)
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_WORKFLOW")
    assert "inputs.article" in str(caught.value)
    assert len(gateway.requests) == 1


async def test_watching_starts_after_a_number_and_leaving_cancels_nothing(gateway: FakeGateway) -> None:
    gateway.scripts = [[*good_run()[8:10], Hold()]]
    async with Client(gateway.address) as client, await client.watch(RUN, after_sequence=3) as handle:
        event = await anext(handle)
        assert isinstance(event, CallFinished)
        assert handle.sequence == 4
    assert await asyncio.to_thread(gateway.left.acquire, timeout=5)
    assert not gateway.sent(pb.CancelRunRequest)


async def test_a_timeout_while_waiting_for_an_event_loses_nothing(gateway: FakeGateway) -> None:
    gateway.scripts = [[good_run()[0], Hold()]]
    async with Client(gateway.address) as client, await client.submit(SPEC) as handle:
        await anext(handle)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(handle), 0.02)
        assert not gateway.left.acquire(blocking=False)
        assert len(gateway.requests) == 1


async def test_the_other_questions_are_answered_with_values(gateway: FakeGateway) -> None:
    async with Client(gateway.address) as client:
        assert (await client.register(SPEC)).name == "review"
        page = await client.list(page_size=2, workflow="review")
        assert ([run.run_id for run in page.runs], page.next_page_token) == (["run-2", "run-1"], "next")
        run = await client.get(RUN)
        assert (run.output, run.calls[0].text, run.submit_time is not None) == ("done", "a b c", True)
        assert (await client.cancel(RUN, "enough")).outcome is Outcome.CANCELLED
        (model,) = await client.models()
        assert (model.name, model.max_model_len) == ("small", 2048)
        explanation = await client.explain(SPEC, {"article": "x"})
        assert (explanation.predicted_s, explanation.calls[0].share_s) == (2.0, 5.0)
        with pytest.raises(ValueError, match="register takes the workflow itself"):
            await client.register("review")
    assert gateway.sent(pb.CancelRunRequest)[0].reason == "enough"
