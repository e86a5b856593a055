"""Work beside the requests: owned, and ended with its service."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from catenary.runtime.tasks import cancel


class Background:
    """Tasks that nobody awaits; one that fails is logged. Without an ``essential`` one the service is of no use: it
    ends with ``failed()``, and its keeper starts it anew."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._log = structlog.get_logger()

    def spawn(self, work: Coroutine[Any, Any, None], *, essential: bool = False) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=getattr(work, "__qualname__", None))
        self._tasks.add(task)
        task.add_done_callback(self._essential_done if essential else self._done)
        return task

    async def failed(self) -> None:
        """Waits for an essential task to fail, and raises what it raised."""
        await asyncio.shield(self._failed)

    def fail(self, error: BaseException) -> None:
        """The service is of no use any more; the first reason counts."""
        if not self._failed.done():
            self._failed.set_exception(error)
            self._failed.exception()

    async def close(self) -> None:
        """Cancel what still runs."""
        await cancel(*self._tasks)

    def _essential_done(self, task: asyncio.Task[None]) -> None:
        self._done(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("background task failed", task=task.get_name(), error=str(error), exc_info=error)
