"""What becomes of work beside the requests that fails."""

from __future__ import annotations

import asyncio

import pytest

from catenary.runtime.background import Background


async def fails() -> None:
    raise LookupError("gone")


async def test_an_essential_task_that_fails_is_told() -> None:
    background = Background()
    background.spawn(fails(), essential=True)
    with pytest.raises(LookupError, match="gone"):
        await asyncio.wait_for(background.failed(), 1)


async def test_any_other_task_that_fails_ends_nothing() -> None:
    background = Background()
    background.spawn(fails())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(background.failed(), 0.05)


async def test_an_essential_task_that_is_cancelled_has_not_failed() -> None:
    background = Background()
    background.spawn(asyncio.sleep(10), essential=True)
    await asyncio.sleep(0)
    await background.close()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(background.failed(), 0.05)
