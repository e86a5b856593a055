"""Streams that break, and what the client takes up again, from the same gateway or another."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from client_runs import QUICK, SPEC, events_of, text_of
from fake_gateway import RUN, Break, FakeGateway, Hold, dead_address, good_run, serving

from catenary.client import CatenaryError, Client
from catenary.v1 import gateway_service_pb2 as pb


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


async def test_runs_take_turns_over_the_gateways(gateway: FakeGateway) -> None:
    with serving(FakeGateway()) as second:
        gateway.scripts, second.scripts = [good_run()] * 3, [good_run()] * 3
        async with Client([gateway.address, second.address]) as client:
            for _ in range(6):
                await client.run(SPEC)
        assert [len(each.sent(pb.SubmitWorkflowRequest)) for each in (gateway, second)] == [3, 3]


async def test_a_gateway_that_failed_is_left_alone_for_a_while(gateway: FakeGateway) -> None:
    with serving(FakeGateway()) as second:
        gateway.scripts, second.scripts = [[Break()]] * 4, [good_run()] * 4
        async with Client([gateway.address, second.address], reattach=QUICK) as client:
            for _ in range(4):
                await client.run(SPEC)
        assert [len(each.sent(pb.SubmitWorkflowRequest)) for each in (gateway, second)] == [1, 4]


async def test_a_refused_request_does_not_speak_against_its_gateway(gateway: FakeGateway) -> None:
    refused = Break(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    with serving(FakeGateway()) as second:
        gateway.scripts, second.scripts = [[refused], good_run()], [good_run()]
        async with Client([gateway.address, second.address]) as client:
            with pytest.raises(CatenaryError):
                await client.run(SPEC)
            for _ in range(2):
                await client.run(SPEC)
        assert [len(each.sent(pb.SubmitWorkflowRequest)) for each in (gateway, second)] == [2, 1]


async def test_a_run_that_nobody_has_taken_over_yet_does_not_speak_against_the_gateway_that_says_so(
    gateway: FakeGateway,
) -> None:
    """The other one broke, and is asked last in each round; this one will have the run in a moment."""
    lost = Break(grpc.StatusCode.UNAVAILABLE, "OWNER_LOST")
    with serving(FakeGateway()) as second:
        gateway.scripts, second.scripts = [[*good_run()[:2], Break()], [Break()]], [[lost], [lost], good_run()[2:]]
        async with Client([gateway.address, second.address], reattach=QUICK) as client:
            assert (await client.run(SPEC)).succeeded
        assert (len(gateway.sent(pb.WatchRunRequest)), len(second.sent(pb.WatchRunRequest))) == (1, 3)


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
