"""What a gateway keeps of a run that it drives, besides the core's state."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from catenary.core.gateway.events import EndRun
from catenary_gateway.feeds import Feed


class RunExists(Exception):
    """The store has a run of this id already."""


@dataclass(slots=True)
class RunContext:
    """``stored`` ends with RunExists or StoreError where the run could not be stored. ``request`` is what another
    gateway would go on from; ``ended`` holds the end of a run that was cancelled before the store had it."""

    feed: Feed
    digest: str
    submit_unix_s: float
    stored: asyncio.Future[None]
    request: bytes = b""
    ended: EndRun | None = None


def not_stored_yet() -> asyncio.Future[None]:
    """A future whose exception nobody has to read."""
    stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stored.add_done_callback(lambda done: done.cancelled() or done.exception())
    return stored


def already_stored() -> asyncio.Future[None]:
    stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stored.set_result(None)
    return stored
