"""Following a run to its end, on the terminal or silently."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from catenary.cli.palette import Palette
from catenary.cli.report import report
from catenary.cli.view import run_view
from catenary.client import Run, RunEventBody, RunHandle


async def follow(
    handle: RunHandle, console: Console | None, on_event: Callable[[RunEventBody], None] = lambda event: None
) -> Run:
    """Wait for the run's end; ``console``, where one is given, gets its text, its output and its timeline."""
    if console is None:
        return await handle.result()
    palette = Palette()
    with run_view(console, palette) as view:
        async for event in handle:
            view.feed(event)
            on_event(event)
    console.print(report(handle.run, palette))
    return handle.run
