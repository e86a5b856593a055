"""Ends of tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel the tasks and wait for their ends; what they raise at being cancelled is dropped.

    A caller that is cancelled meanwhile notices. A task that had failed before keeps its error: where nobody has
    retrieved it, asyncio logs it.
    """
    pending = [task for task in tasks if not task.done()]
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


async def run_until(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Run ``work`` to its end (True; raises what it raises), or until ``stopping`` is set: then cancel it (False)."""
    task = asyncio.create_task(work)
    signalled = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((task, signalled), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            return True
        return False
    finally:
        await cancel(task, signalled)
