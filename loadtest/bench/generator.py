"""Open-loop load: runs are sent at their times, whatever has become of those before."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence

from bench.arrival import Arrival, Ending, Finished
from bench.system import System
from catenary.runtime.clock import now

LATE_END_S = 120.0
"""A run that has not ended so long after its deadline counts as failed."""


def quieten() -> None:
    """Collect garbage now and leave what there is out of later collections: they would delay runs by 0.2 s."""
    gc.collect()
    gc.freeze()


async def offer(
    system: System,
    arrivals: Sequence[Arrival],
    tag: str,
    on_end: Callable[[Finished], None],
    begin_at: float | None = None,
) -> None:
    """Submit each run at its time and wait for the last to end. Arrivals come in order of time."""
    if begin_at is None:
        quieten()
    start = now() if begin_at is None else begin_at
    tasks: set[asyncio.Task[None]] = set()
    try:
        for arrival in arrivals:
            delay = start + arrival.at_s - now()
            if delay > 0:
                await asyncio.sleep(delay)
            task = asyncio.create_task(_follow(system, arrival, f"{tag}-{arrival.number}", start, on_end))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        while tasks:
            await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _follow(
    system: System, arrival: Arrival, run_id: str, start: float, on_end: Callable[[Finished], None]
) -> None:
    sent_s = now() - start
    try:
        ending = await asyncio.wait_for(system.submit(arrival, run_id), arrival.deadline_s + LATE_END_S)
    except TimeoutError:
        ending = Ending("FAILED", f"no end {LATE_END_S:g} s after the deadline")
    on_end(Finished(arrival, sent_s, now() - start, ending))
