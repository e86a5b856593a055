"""A command's conversation with the gateways."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from catenary.cli.failures import reporting
from catenary.cli.options import addresses_of
from catenary.client import Client

Result = TypeVar("Result")


def talk(address: str, json_output: bool, work: Callable[[Client], Awaitable[Result]]) -> Result:
    """Run ``work`` with a client; a failure ends the command with its exit code."""

    async def session() -> Result:
        async with Client(addresses_of(address)) as client:
            return await work(client)

    with reporting(json_output):
        return asyncio.run(session())
    raise AssertionError("unreachable")
