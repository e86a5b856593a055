"""What the store's client does when it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis


async def command(redis: Redis) -> None:
    await redis.execute_command("PING")


async def pipeline(redis: Redis) -> None:
    commands = redis.pipeline(transaction=False)
    commands.execute_command("PING")
    assert await commands.execute() == [True]


@pytest.mark.parametrize("turns", range(12))
@pytest.mark.parametrize("ask", [command, pipeline])
async def test_what_is_cancelled_at_any_moment_of_asking_the_store_ends(
    redis: Redis, ask: Callable[[Redis], Awaitable[None]], turns: int
) -> None:
    async def ask_for_ever() -> None:
        while True:
            await ask(redis)

    await ask(redis)
    task = asyncio.create_task(ask_for_ever())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=2)
    task.cancel()
    assert done
