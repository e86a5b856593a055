from __future__ import annotations

import asyncio

import pytest

from catenary.runtime.outbox import Outbox, OutboxClosed, OutboxFull


async def test_puts_of_one_turn_come_out_as_one_list() -> None:
    outbox: Outbox[int] = Outbox(limit=10)
    reader = asyncio.create_task(anext(outbox))
    await asyncio.sleep(0)
    for item in range(3):
        outbox.put(item)
    assert await reader == [0, 1, 2]


async def test_puts_while_the_reader_is_busy_wait_for_it() -> None:
    outbox: Outbox[int] = Outbox(limit=10)
    outbox.put(1)
    assert await anext(outbox) == [1]
    outbox.put(2)
    await asyncio.sleep(0)
    outbox.put(3)
    assert await anext(outbox) == [2, 3]


async def test_a_full_outbox_refuses_and_keeps_what_it_has() -> None:
    outbox: Outbox[int] = Outbox(limit=2)
    outbox.put(1)
    outbox.put(2)
    with pytest.raises(OutboxFull, match="2 items wait"):
        outbox.put(3)
    assert await anext(outbox) == [1, 2]


async def test_close_lets_the_rest_out_and_ends_the_reader() -> None:
    outbox: Outbox[int] = Outbox(limit=2)
    outbox.put(1)
    outbox.close()
    assert [batch async for batch in outbox] == [[1]]
    with pytest.raises(OutboxClosed):
        outbox.put(2)


async def test_close_wakes_a_waiting_reader() -> None:
    outbox: Outbox[int] = Outbox(limit=2)
    reader = asyncio.create_task(_all(outbox))
    await asyncio.sleep(0)
    outbox.close()
    assert await asyncio.wait_for(reader, 1) == []


async def test_a_cancelled_reader_loses_nothing() -> None:
    outbox: Outbox[int] = Outbox(limit=2)
    reader = asyncio.create_task(anext(outbox))
    await asyncio.sleep(0)
    outbox.put(1)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    assert await anext(outbox) == [1]


async def test_a_second_reader_is_refused() -> None:
    outbox: Outbox[int] = Outbox(limit=2)
    reader = asyncio.create_task(anext(outbox))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="one reader"):
        await anext(outbox)
    outbox.close()
    await asyncio.gather(reader, return_exceptions=True)


async def _all(outbox: Outbox[int]) -> list[list[int]]:
    return [batch async for batch in outbox]
