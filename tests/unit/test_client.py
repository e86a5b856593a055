"""The asynchronous client against a scripted gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from fake_gateway import (
    RUN,
    Break,
    FakeGateway,
    Hold,
    admitted,
    dead_address,
    ended,
    finished,
    good_run,
    numbered,
    refused,
    serving,
)

from catenary.client import (
    CallFinished,
    CallTokens,
    CatenaryError,
    Client,
    Reattach,
    RunAdmitted,
    RunEventBody,
    RunFinished,
)
from catenary.model.outcome import Outcome, PriorityClass, State
from catenary.model.problem import SpecError
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import run_pb2

SPEC = """
name: review
slo: {deadline: 8s}
inputs: {article: string}
calls:
  outline: {model: small, prompt: "{{ inputs.article }}", max_tokens: 8}
  facts: {model: small, prompt: "{{ inputs.article }}", max_tokens: 8}
"""
QUICK = Reattach(attempts=4, first_s=0.001, max_s=0.002)


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with serving(FakeGateway()) as found:
        yield found


def text_of(events: list[RunEventBody], name: str) -> str:
    return "".join(e.text for e in events if isinstance(e, CallTokens) and e.ref.name == name)


async def events_of(client: Client) -> list[RunEventBody]:
    async with await client.submit(SPEC, {"article": "x"}, run_id=RUN, tokens=True) as handle:
        return [event async for event in handle]


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
        with pytest.raises(ValueError, match="deadline_s: must be over 0, is 0"):
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


async def test_a_broken_stream_is_taken_up_after_the_last_event(gateway: FakeGateway) -> None:
    whole = good_run()
    gateway.scripts = [[*whole[:6], Break()], [*whole[6:]]]
    async with Client(gateway.address, reattach=QUICK) as client:
        events = await events_of(client)
    (watch,) = gateway.sent(pb.WatchRunRequest)
    assert (watch.run_id, watch.after_sequence, watch.stream_tokens) == (RUN, 3, True)
    assert text_of(events, "outline") == "a b c"
    assert len(events) == len(whole)


async def test_what_a_new_stream_repeats_is_passed_on_once(gateway: FakeGateway) -> None:
    whole = good_run()
    gateway.scripts = [[*whole[:7], Break()], whole]
    async with Client(gateway.address, reattach=QUICK) as client:
        events = await events_of(client)
    assert len(events) == len(whole)
    assert (text_of(events, "outline"), text_of(events, "facts")) == ("a b c", "d e")


async def test_tokens_lost_with_a_stream_come_from_the_finished_call(gateway: FakeGateway) -> None:
    whole = good_run()
    gateway.scripts = [[*whole[:4], Break()], whole[6:]]
    async with Client(gateway.address, reattach=QUICK) as client:
        events = await events_of(client)
    assert (text_of(events, "outline"), text_of(events, "facts")) == ("a b c", "d e")


@pytest.mark.parametrize(
    "end",
    [Break(None), Break(grpc.StatusCode.INTERNAL), Break(grpc.StatusCode.RESOURCE_EXHAUSTED, "READER_TOO_SLOW")],
    ids=["without a status", "by the transport", "as too slow a reader"],
)
async def test_a_stream_that_ends_early_is_taken_up(gateway: FakeGateway, end: Break) -> None:
    whole = good_run()
    gateway.scripts = [[*whole[:2], end], whole[2:]]
    async with Client(gateway.address, reattach=QUICK) as client:
        assert len(await events_of(client)) == len(whole)


async def test_taking_up_again_is_bounded(gateway: FakeGateway) -> None:
    gateway.scripts = [[*good_run()[:2], Break()], *([[Break()]] * 20)]
    async with Client(gateway.address, reattach=QUICK) as client:
        with pytest.raises(CatenaryError) as caught:
            await events_of(client)
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    assert len(gateway.sent(pb.WatchRunRequest)) == QUICK.attempts - 1


async def test_streams_that_only_repeat_are_no_progress(gateway: FakeGateway) -> None:
    start = good_run()[:2]
    gateway.scripts = [[*start, Break()]] * 20
    async with Client(gateway.address, reattach=QUICK) as client:
        with pytest.raises(CatenaryError):
            await events_of(client)
    assert len(gateway.sent(pb.WatchRunRequest)) == QUICK.attempts - 1


async def test_another_gateway_takes_over_and_gets_the_same_run_id(gateway: FakeGateway) -> None:
    dead = dead_address()
    gateway.scripts = [good_run()]
    async with Client([dead, gateway.address]) as client:
        run = await client.run(SPEC)
        assert (await client.get(run.run_id)).workflow == "review"
    (request,) = gateway.sent(pb.SubmitWorkflowRequest)
    assert request.run_id == run.run_id


async def test_a_submission_that_broke_before_its_first_event_is_repeated_elsewhere(gateway: FakeGateway) -> None:
    with serving(FakeGateway()) as first:
        first.scripts = [[Break()]]
        gateway.scripts = [good_run()]
        async with Client([first.address, gateway.address], reattach=QUICK) as client:
            run = await client.run(SPEC)
        assert run.succeeded
        sent = [*first.sent(pb.SubmitWorkflowRequest), *gateway.sent(pb.SubmitWorkflowRequest)]
        assert [request.run_id for request in sent] == [run.run_id] * 2


async def test_no_gateway_at_all_names_the_addresses() -> None:
    dead = dead_address()
    async with Client(dead) as client:
        for attempt in (client.run(SPEC), client.models()):
            with pytest.raises(CatenaryError, match=f"no gateway at {dead}") as caught:
                await attempt
            assert caught.value.unreachable


async def test_leaving_a_run_breaks_its_stream_and_cancels_it(gateway: FakeGateway) -> None:
    gateway.scripts = [[*good_run()[:2], Hold()]]
    async with Client(gateway.address) as client:
        async with await client.submit(SPEC, run_id=RUN) as handle:
            await anext(handle)
        assert await asyncio.to_thread(gateway.left.acquire, timeout=5)
    assert [request.run_id for request in gateway.sent(pb.CancelRunRequest)] == [RUN]


@pytest.mark.parametrize(("detach", "cancels"), [(False, 1), (True, 0)])
async def test_leaving_a_run_taken_up_again_cancels_it_unless_detached(
    gateway: FakeGateway, detach: bool, cancels: int
) -> None:
    whole = good_run()
    gateway.scripts = [[*whole[:2], Break()], [whole[2], Hold()]]
    async with (
        Client(gateway.address, reattach=QUICK) as client,
        await client.submit(SPEC, run_id=RUN, detach=detach) as handle,
    ):
        for _ in range(3):
            await anext(handle)
    assert len(gateway.sent(pb.CancelRunRequest)) == cancels


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
