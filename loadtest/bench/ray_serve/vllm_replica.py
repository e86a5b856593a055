"""vLLM as Catenary's workers start it, inside a Ray Serve replica."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from catenary.runtime.config import ModelConfig, WorkerConfig
from catenary.runtime.tokenizer import Tokenizer, load_tokenizer
from catenary_worker.accelerator import Accelerator
from catenary_worker.engine import Engine
from catenary_worker.engine_processes import EngineProcesses
from catenary_worker.start_times import StartTimes
from catenary_worker.vllm_engine import VllmEngine
from catenary_worker.vllm_settings import VllmSettings

MAX_CORES = 256
DEVICE_VARIABLE = "CUDA_VISIBLE_DEVICES"
"""Ray sets it too, to the GPUs of the replica; it then stays."""


async def vllm_engine(model: str, spec: Mapping[str, Any]) -> tuple[Engine, Tokenizer]:
    """``spec``: "model" and "worker" as in Catenary's configuration, "cache_dir", "packages", the folder that has vLLM,
    and on a CPU "cores", a folder in which each replica takes the next core of the machine, as Catenary gives each
    worker its own."""
    settings = _settings(model, spec)
    processes = EngineProcesses()
    await processes.open()
    cache_dir = settings.cache_dir
    engine = VllmEngine(
        settings, processes, StartTimes(cache_dir / "start_times", "ray"), Accelerator(settings.worker.device)
    )
    return engine, await asyncio.to_thread(load_tokenizer, model, settings.config, cache_dir)


def _settings(model: str, spec: Mapping[str, Any]) -> VllmSettings:
    worker = WorkerConfig(**spec["worker"])
    if worker.device == "cpu":
        worker = worker.model_copy(update={"cpu_threads": str(_next_core(Path(spec["cores"])))})
    cache_dir = Path(spec["cache_dir"]).expanduser()
    return VllmSettings(model, ModelConfig(**spec["model"]), worker, cache_dir, DEVICE_VARIABLE)


def _next_core(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    for core in range(MAX_CORES):
        try:
            (folder / str(core)).touch(exist_ok=False)
        except FileExistsError:
            continue
        return core
    raise RuntimeError(f"{folder}: {MAX_CORES} replicas have a core each already")
