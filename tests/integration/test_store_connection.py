"""What the store's client does when it is cancelled."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis


@pytest.mark.parametrize("turns", range(12))
async def test_a_command_that_is_cancelled_at_any_moment_ends_its_task(redis: Redis, turns: int) -> None:
    async def ask_for_ever() -> None:
        while True:
            await redis.execute_command("PING")

    await redis.ping()
    task = asyncio.create_task(ask_for_ever())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=2)
    task.cancel()
    assert done
