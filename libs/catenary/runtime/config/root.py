"""Everything in one."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from catenary.runtime.config.gateway import GatewayConfig
from catenary.runtime.config.model import ModelConfig
from catenary.runtime.config.profiler import ProfilerConfig
from catenary.runtime.config.provisioner import ProvisionerConfig
from catenary.runtime.config.router import RouterConfig
from catenary.runtime.config.section import Name
from catenary.runtime.config.store import StoreConfig
from catenary.runtime.config.telemetry import TelemetryConfig
from catenary.runtime.config.worker import WorkerConfig, WorkerDefaults, check_shards

ENV_PREFIX = "CATENARY_"


class Config(BaseSettings):
    """Everything. See docs/configuration.md for the table."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    cache_dir: Path = Path("~/.cache/catenary")
    """Folder of converted models and of measured start-up times."""
    cache_max_gib: float = Field(default=500.0, ge=0, le=1_048_576)
    """Bound on the models in it: those that no engine uses make room for new ones, the least recently used first; 0:
    none."""
    advertised_host: str = Field(default="", max_length=253, pattern=r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9_.-]*)$")
    """Host that others are told where an address means every interface; empty: this machine's name."""
    store: StoreConfig = Field(default_factory=StoreConfig)
    gateway: GatewayConfig = Field(default_factory=GatewayConfig)
    router: RouterConfig = Field(default_factory=RouterConfig)
    profiler: ProfilerConfig = Field(default_factory=ProfilerConfig)
    provisioner: ProvisionerConfig = Field(default_factory=ProvisionerConfig)
    worker: WorkerDefaults = Field(default_factory=WorkerDefaults)
    models: dict[Name, ModelConfig] = Field(default_factory=dict)
    workers: list[WorkerConfig] = Field(default_factory=list, max_length=1024)
    telemetry: TelemetryConfig = Field(default_factory=TelemetryConfig)

    @model_validator(mode="after")
    def _workers_name_models(self) -> Config:
        seen: set[str] = set()
        for worker in self.workers:
            if worker.id in seen:
                raise ValueError(f"workers: id {worker.id!r} appears twice")
            seen.add(worker.id)
            for model in worker.models:
                if model not in self.models:
                    known = ", ".join(sorted(self.models)) or "none"
                    raise ValueError(f"workers.{worker.id}.models: unknown model {model!r}; known: {known}")
                check_shards(worker, model, self.models[model].engine_args)
        return self

    @property
    def worker_stop_s(self) -> float:
        """Seconds after which a worker that was asked to end is killed: its calls have a part, its engines the rest."""
        return self.worker.drain_timeout_s + self.provisioner.stop_timeout_s

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings
