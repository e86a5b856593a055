"""What vLLM is started with."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catenary.runtime.config import ModelConfig, WorkerConfig


@dataclass(frozen=True, slots=True)
class VllmSettings:
    """One engine. ``model`` names it, ``config`` says what it runs, ``worker`` where.

    ``device_variable`` is the environment variable that names an engine's accelerators.
    """

    model: str
    config: ModelConfig
    worker: WorkerConfig
    cache_dir: Path
    device_variable: str
    otlp_endpoint: str = ""
    cache_max_bytes: int = 0

    @property
    def on_cpu(self) -> bool:
        return self.worker.device == "cpu"

    def environment(self) -> dict[str, str]:
        """Variables that vLLM reads when it is imported and started; those set already stay as they are."""
        wanted = {
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
            "VLLM_LOGGING_LEVEL": "WARNING",
        }
        if self.on_cpu:
            wanted["VLLM_CPU_KVCACHE_SPACE"] = str(math.ceil(self.worker.kv_cache_gib))
            if self.worker.cpu_threads:
                wanted["VLLM_CPU_OMP_THREADS_BIND"] = self.worker.cpu_threads
        else:
            wanted["VLLM_USE_FLASHINFER_SAMPLER"] = "0"
            wanted[self.device_variable] = self.worker.device
        if self.otlp_endpoint:
            wanted["OTEL_SERVICE_NAME"] = "vllm"
            wanted["OTEL_EXPORTER_OTLP_TRACES_INSECURE"] = str(not self.otlp_endpoint.startswith("https://")).lower()
        return {name: value for name, value in wanted.items() if name not in os.environ}

    def engine_args(self, folder: Path) -> Mapping[str, Any]:
        """Arguments of AsyncEngineArgs; those of the configuration stand above ours."""
        arguments: dict[str, Any] = {
            "model": str(folder),
            "served_model_name": self.model,
            "dtype": "bfloat16" if self.on_cpu else "auto",
            "max_model_len": self.config.max_model_len,
            "max_num_seqs": self.config.max_num_seqs,
            "max_num_batched_tokens": self.config.max_num_batched_tokens,
            "scheduling_policy": "priority",
            "enable_prefix_caching": True,
            "disable_log_stats": True,
            "tensor_parallel_size": self.worker.num_accelerators,
        }
        if not self.on_cpu:
            arguments["enable_sleep_mode"] = True
        if self.otlp_endpoint:
            arguments["otlp_traces_endpoint"] = self.otlp_endpoint
        return arguments | self.config.engine_args
