"""One measurement: a system started, warmed up, put under load and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from bench.arrival import Finished
from bench.generator import offer, quieten
from bench.recorder import capacity_line, run_line, sample_line, write_lines
from bench.row import Measured
from bench.system import Capacity, System
from bench.watch import Watch
from bench.work import Work, warm_up
from catenary.runtime.clock import now

CAPACITY_INTERVAL_S = 0.5
SETTLE_S = 1.0
START_DELAY_S = 0.1


async def measure(system: System, work: Work, raw: Path, progress: Callable[[Finished], None]) -> Measured:
    """Writes raw lines to ``raw``.jsonl.gz, samples of the processes to ``raw``.processes.jsonl.gz, and each change of
    the number of engines to ``raw``.engines.jsonl.gz."""
    async with system:
        await offer(system, warm_up(work), "warm-up", lambda finished: None)
        await asyncio.sleep(SETTLE_S)
        return await under_load(system, work, raw, progress)


async def under_load(system: System, work: Work, raw: Path, progress: Callable[[Finished], None]) -> Measured:
    """Of a system that is up."""
    finished: list[Finished] = []
    capacities: list[tuple[float, Capacity]] = []

    def ended(one: Finished) -> None:
        finished.append(one)
        progress(one)

    quieten()
    start = now() + START_DELAY_S
    watch = Watch()
    helpers = [asyncio.create_task(watch.run(start)), asyncio.create_task(_follow_capacity(system, start, capacities))]
    try:
        await offer(system, work.arrivals, work.label.replace(".", "_"), ended, start)
    finally:
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
    finished.sort(key=lambda one: one.arrival.number)
    write_lines(raw.with_name(raw.name + ".jsonl.gz"), [run_line(one) for one in finished])
    write_lines(raw.with_name(raw.name + ".processes.jsonl.gz"), [sample_line(sample) for sample in watch.samples])
    write_lines(raw.with_name(raw.name + ".engines.jsonl.gz"), [capacity_line(*point) for point in capacities])
    return Measured(finished, watch.samples, capacities, work.arrivals_s, now() - start)


async def _follow_capacity(system: System, start: float, capacities: list[tuple[float, Capacity]]) -> None:
    """A point for each change."""
    while True:
        capacity = await system.capacity()
        if not capacities or capacities[-1][1] != capacity:
            capacities.append((max(0.0, now() - start), capacity))
        await asyncio.sleep(CAPACITY_INTERVAL_S)
