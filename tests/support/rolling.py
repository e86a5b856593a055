"""Restarts one service after another while runs are under way."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from histories import History
from tracked_runs import follow, workflow

from catenary.client import Client
from catenary.runtime.cluster import Cluster
from catenary.runtime.kept_service import KeepSettings

KEEPING = KeepSettings(backoff_s=0.1, stable_s=1.0)


async def pid_of(cluster: Cluster, name: str) -> int:
    """0 where it is not up."""
    if name in cluster.pids:
        return cluster.pids[name]
    plan = await cluster.plan()
    workers = plan.workers if plan is not None else []
    return next((worker.pid for worker in workers if worker.worker_id == name and worker.phase == "ready"), 0)


async def restart(cluster: Cluster, name: str) -> None:
    """SIGTERM; returns when another process of the name serves."""
    before = await _next_pid(cluster, name, after=0)
    os.kill(before, signal.SIGTERM)
    await _next_pid(cluster, name, after=before)
    await cluster.wait_ready(60)


async def _next_pid(cluster: Cluster, name: str, after: int) -> int:
    for _ in range(600):
        pid = await pid_of(cluster, name)
        if pid not in (0, after):
            return pid
        await asyncio.sleep(0.1)
    raise AssertionError(f"{name} did not come back within a minute")


@asynccontextmanager
async def load(client: Client, histories: list[History]) -> AsyncIterator[None]:
    """A run every 200 ms; leaving waits for their ends."""
    tasks: list[asyncio.Task[None]] = []

    async def submit() -> None:
        while True:
            handle = await client.submit(workflow(tokens=100), run_id=f"rolling-{len(tasks)}", tokens=True)
            histories.append(History(handle.run_id))
            tasks.append(asyncio.create_task(follow(handle, histories[-1])))
            await asyncio.sleep(0.2)

    submitting = asyncio.create_task(submit())
    try:
        yield
    finally:
        submitting.cancel()
        await asyncio.gather(submitting, return_exceptions=True)
    assert submitting.cancelled()
    await asyncio.gather(*tasks)
