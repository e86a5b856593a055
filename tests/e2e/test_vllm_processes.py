"""Workers with a real vLLM engine on the CPU that end while it starts, or by a kill: no process is left."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from vllm_worker import (
    START_TIMEOUT_S,
    config,
    engine_processes,
    gone,
    num_sockets,
    sockets_folder,
    tree_of,
    wait_removed,
)
from worker_process import until_awake, worker_process

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


async def test_sigterm_while_an_engine_starts_leaves_no_process(store_url: str, tmp_path: Path) -> None:
    with worker_process(config(store_url), tmp_path) as worker:
        await asyncio.sleep(1)
        worker.terminate()
        await worker.ended(20)
    with worker_process(config(store_url), tmp_path) as worker:
        async with asyncio.timeout(START_TIMEOUT_S):
            processes = await engine_processes(worker)
        worker.terminate()
        await worker.ended(30)
        await gone(processes)


async def test_a_worker_killed_while_its_engine_starts_takes_it_away(store_url: str, tmp_path: Path) -> None:
    with worker_process(config(store_url), tmp_path) as worker:
        async with asyncio.timeout(START_TIMEOUT_S):
            processes = await engine_processes(worker)
        worker.process.kill()
        await gone(processes)


async def test_a_worker_killed_with_its_engine_awake_takes_it_away(store_url: str, tmp_path: Path) -> None:
    with worker_process(config(store_url), tmp_path) as worker:
        await until_awake(worker.address, timeout_s=START_TIMEOUT_S)
        processes = tree_of(worker)
        folder = sockets_folder(processes)
        assert num_sockets(folder) > 0
        worker.process.kill()
        await gone(processes)
        await asyncio.to_thread(wait_removed, folder)
