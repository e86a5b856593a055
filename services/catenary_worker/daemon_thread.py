"""Work in a thread that the end of the process does not wait for."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")


def in_daemon_thread(work: Callable[[], T], name: str) -> asyncio.Future[T]:
    """Run ``work`` in a thread of its own; the future has what it returns or raises.

    A cancelled future leaves the thread running, unheard.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    future.add_done_callback(_heard)

    def settle(done: Callable[[], None]) -> None:
        if not future.done():
            done()

    def run() -> None:
        done: Callable[[], None]
        try:
            done = partial(future.set_result, work())
        except BaseException as error:
            done = partial(future.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, done)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def _heard(future: asyncio.Future[T]) -> None:
    """An error that nobody awaits any more is no news."""
    if not future.cancelled():
        future.exception()
