"""When the reader of a queue wakes."""

from __future__ import annotations

import asyncio

from catenary.runtime.bell import client_gap_s, delta_gap_s
from catenary.runtime.outbox import Outbox
from catenary.v1 import worker_service_pb2 as pb
from catenary_worker.streams import GatewayStream

GAP_S = 0.02


async def _spaced(outbox: Outbox[int]) -> list[tuple[float, list[int]]]:
    loop = asyncio.get_running_loop()
    return [(loop.time(), batch) async for batch in outbox]


async def test_the_first_item_leaves_at_once_and_what_follows_closely_leaves_together() -> None:
    outbox: Outbox[int] = Outbox(10, GAP_S)
    reader = asyncio.create_task(_spaced(outbox))
    for number in range(3):
        outbox.put(number)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await asyncio.sleep(2 * GAP_S)
    outbox.close()
    (first_at, first), (second_at, second) = await reader
    assert first + second == [0, 1, 2]
    assert first[0] == 0
    assert second_at - first_at >= 0.9 * GAP_S


async def test_an_item_after_a_pause_does_not_wait() -> None:
    outbox: Outbox[int] = Outbox(10, GAP_S)
    outbox.put(1)
    assert await anext(outbox) == [1]
    await asyncio.sleep(2 * GAP_S)
    outbox.put(2)
    async with asyncio.timeout(GAP_S):
        assert await anext(outbox) == [2]


async def test_a_closed_outbox_gives_the_rest_at_once() -> None:
    outbox: Outbox[int] = Outbox(10, 60.0)
    outbox.put(1)
    assert await anext(outbox) == [1]
    outbox.put(2)
    outbox.close()
    async with asyncio.timeout(1):
        assert [batch async for batch in outbox] == [[2]]


async def test_deltas_of_a_call_that_wait_together_are_one_and_its_end_does_not_wait() -> None:
    stream = GatewayStream(1)
    stream.num_calls = 100
    stream.delta("run/call", 1, 0, [1], "a ")
    first = await anext(stream)
    stream.delta("run/call", 1, 1, [2], "b ")
    stream.delta("run/call", 1, 2, [3, 4], "c d ")
    stream.delta("run/other", 1, 0, [9], "x ")
    stream.end(pb.CallEnd(call_id="run/call", attempt=1))
    second = await anext(stream)
    assert [(d.call_id, d.offset, list(d.token_ids), d.text) for d in first.deltas] == [("run/call", 0, [1], "a ")]
    assert [(d.call_id, d.offset, list(d.token_ids), d.text) for d in second.deltas] == [
        ("run/call", 1, [2, 3, 4], "b c d ")
    ]
    assert [end.call_id for end in second.ends] == ["run/call"]
    assert [delta.call_id for delta in (await anext(stream)).deltas] == ["run/other"]


async def test_a_delta_leaves_in_time_after_another_one_left_with_its_end() -> None:
    stream = GatewayStream(1)
    stream.num_calls = 100
    stream.delta("run/call", 1, 0, [1], "a ")
    await anext(stream)
    stream.delta("run/call", 1, 1, [2], "b ")
    stream.end(pb.CallEnd(call_id="run/call", attempt=1))
    assert len((await anext(stream)).ends) == 1
    reader = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.06)
    stream.delta("run/other", 1, 0, [9], "x ")
    async with asyncio.timeout(1):
        assert [delta.call_id for delta in (await reader).deltas] == ["run/other"]


async def test_what_waits_leaves_with_the_end_of_its_stream() -> None:
    stream = GatewayStream(1)
    stream.num_calls = 100
    for offset in range(2):
        stream.delta("run/call", 1, offset, [offset], "a ")
        if not offset:
            await anext(stream)
    stream.close()
    assert [[delta.offset for delta in message.deltas] async for message in stream] == [[1]]


async def test_deltas_of_another_attempt_stay_apart() -> None:
    stream = GatewayStream(1)
    stream.delta("run/call", 1, 0, [1], "a ")
    stream.delta("run/call", 2, 0, [2], "b ")
    message = await anext(stream)
    assert [(d.attempt, list(d.token_ids)) for d in message.deltas] == [(1, [1]), (2, [2])]


async def test_the_more_calls_a_stream_has_the_longer_their_deltas_wait_and_first_ones_never() -> None:
    stream = GatewayStream(1)
    stream.num_calls = 116
    stream.delta("a", 1, 0, [1], "a")
    await anext(stream)
    began = asyncio.get_running_loop().time()
    stream.delta("a", 1, 1, [2], "b")
    stream.delta("a", 1, 2, [3], "c")
    (delta,) = (await anext(stream)).deltas
    assert list(delta.token_ids) == [2, 3]
    assert asyncio.get_running_loop().time() - began >= 0.045
    stream.delta("a", 1, 3, [4], "d")
    stream.delta("b", 1, 0, [5], "e", is_first=True)
    async with asyncio.timeout(0.015):
        (first,) = (await anext(stream)).deltas
    assert first.call_id == "b"
    (waited,) = (await anext(stream)).deltas
    assert waited.call_id == "a"


def test_the_more_calls_the_longer_their_deltas_wait_for_each_other() -> None:
    gaps = [delta_gap_s(num) for num in (0, 1, 16, 64, 100, 10_000)]
    assert gaps == [0.001, 0.001, 0.008, 0.032, 0.05, 0.05]
    assert [client_gap_s(num) for num in (1, 16, 10_000)] == [0.005, 0.008, 0.05]
