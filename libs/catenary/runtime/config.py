"""The configuration of all services: one YAML file, each value overridable by an environment variable.

``CATENARY_ROUTER__QUEUE_LIMIT=100`` overrides ``router.queue_limit``; lists and mappings are given as JSON.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

ENV_PREFIX = "CATENARY_"
CONFIG_VARIABLE = "CATENARY_CONFIG"

Address = Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9_.-]+):\d{1,5}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class ConfigError(Exception):
    """The configuration cannot be used. The text has one line per wrong value: its name, the value and the bound."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EngineKind(StrEnum):
    VLLM = "vllm"
    EMULATED = "emulated"


class ModelConfig(Section):
    """One model that workflows can name.

    ``source``: a folder, ``hf://org/name`` or ``gguf+package://package/file.gguf``; the emulated engine needs none.
    ``engine_args`` go to vLLM's AsyncEngineArgs as they are. ``profile`` names a profile file; for the emulated engine
    it is the engine's behaviour.
    """

    source: str = ""
    engine: EngineKind = EngineKind.VLLM
    tokenizer: str = ""
    max_model_len: int = Field(default=2048, ge=16, le=4_194_304)
    max_num_seqs: int = Field(default=16, ge=1, le=4096)
    lookahead: int = Field(default=2, ge=0, le=256)
    max_num_batched_tokens: int = Field(default=2048, ge=16, le=1_048_576)
    engine_args: dict[str, Any] = Field(default_factory=dict)
    profile: str = ""
    default_output_tokens: int = Field(default=128, ge=1, le=1_048_576)


class WorkerConfig(Section):
    """One worker process. ``device`` is the value of the accelerator variable ("0", "0,1"), or "cpu"."""

    id: Name
    models: list[Name] = Field(min_length=1, max_length=64)
    device: str = "cpu"
    address: Address = "127.0.0.1:0"
    cpu_threads: str = ""
    kv_cache_gib: float = Field(default=1.0, gt=0, le=4096)
    num_accelerators: int = Field(default=1, ge=1, le=8)


class StoreConfig(Section):
    """``url`` "embedded" starts a Valkey server in ``data_dir``; otherwise a redis:// or unix:// address."""

    url: str = "embedded"
    data_dir: Path = Path(".catenary/store")
    run_retention_s: Seconds = 86_400.0
    max_runs: int = Field(default=100_000, ge=1, le=10_000_000)
    max_memory_mb: int = Field(default=512, ge=16, le=1_048_576)
    write_timeout_s: Seconds = 5.0


class LimitsConfig(Section):
    """Bounds on specifications, see catenary.model.workflow.Limits."""

    max_calls: int = Field(default=256, ge=1, le=10_000)
    max_depth: int = Field(default=64, ge=1, le=10_000)
    max_items: int = Field(default=256, ge=1, le=100_000)
    max_run_calls: int = Field(default=2048, ge=1, le=100_000)
    max_prompt_bytes: int = Field(default=1 << 20, ge=1, le=1 << 26)
    max_template_bytes: int = Field(default=1 << 16, ge=1, le=1 << 24)
    max_spec_bytes: int = Field(default=1 << 20, ge=1, le=1 << 26)
    max_inputs_bytes: int = Field(default=4 << 20, ge=1, le=1 << 26)
    max_deadline_s: float = Field(default=86_400.0, gt=0, le=604_800)
    max_stop: int = Field(default=16, ge=0, le=256)
    max_output_tokens: int = Field(default=32_768, ge=1, le=1_048_576)


class GatewayConfig(Section):
    id: Name = "gateway-0"
    address: Address = "127.0.0.1:7450"
    limits: LimitsConfig = Field(default_factory=LimitsConfig)
    admission: Literal["none", "feasible"] = "feasible"
    admit_probability: float = Field(default=0.5, ge=0, le=1)
    max_active_runs: int = Field(default=10_000, ge=1, le=1_000_000)
    max_attempts: int = Field(default=3, ge=1, le=100)
    event_buffer: int = Field(default=4096, ge=16, le=1_000_000)
    default_attainment: float = Field(default=0.95, gt=0, lt=1)
    late_multiple: float = Field(default=3.0, ge=1, le=100)


class RouterConfig(Section):
    id: Name = "router-0"
    address: Address = "127.0.0.1:7451"
    ordering: Literal["fcfs", "edf", "least_slack"] = "least_slack"
    routing: Literal["round_robin", "least_loaded", "slack_aware"] = "slack_aware"
    shed_lost: bool = True
    queue_limit: int = Field(default=10_000, ge=1, le=1_000_000)
    reservation_ttl_s: Seconds = 30.0
    late_share: float = Field(default=0.1, ge=0, le=1)
    pools_interval_s: Seconds = 0.1
    lease_ttl_s: Seconds = 2.0


class ProfilerConfig(Section):
    address: Address = "127.0.0.1:7452"
    profiles_dir: Path = Path("profiles")
    max_correction: float = Field(default=2.0, ge=1, le=10)
    acquire_timeout_s: Seconds = 60.0
    call_timeout_s: Seconds = 300.0


class ProvisionerConfig(Section):
    id: Name = "provisioner-0"
    address: Address = "127.0.0.1:7453"
    policy: Literal["static"] = "static"
    cluster: Literal["local", "static"] = "local"
    start_timeout_s: Seconds = 900.0
    stop_timeout_s: Seconds = 20.0
    backoff_s: Seconds = 0.5
    max_backoff_s: Seconds = 30.0
    stable_s: Seconds = 60.0
    unresponsive_s: Seconds = 15.0
    replica_lease_s: Seconds = 60.0
    lease_ttl_s: Seconds = 5.0
    device_variable: Name = "CUDA_VISIBLE_DEVICES"


class WorkerDefaults(Section):
    """What all workers share."""

    heartbeat_s: Seconds = 0.5
    liveness_ttl_s: Seconds = 3.0
    snapshot_interval_s: Seconds = 0.2
    drain_timeout_s: Seconds = 60.0
    max_calls: int = Field(default=1024, ge=1, le=100_000)


class TelemetryConfig(Section):
    """``otlp_endpoint`` empty: no traces are exported. ``log_dir`` empty: logs go to standard error."""

    otlp_endpoint: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_dir: str = ""


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
        return self

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


def load_config(path: Path | None) -> Config:
    """Read ``path`` (None: defaults and environment only).

    Raises:
        ConfigError: the file is missing, is no YAML mapping, or holds a wrong value.
    """
    values: Any = {}
    if path is not None:
        try:
            values = yaml.safe_load(path.read_text()) or {}
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: is no YAML: {error}") from error
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: must be a mapping, is a {type(values).__name__}")
    try:
        return Config(**values)
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in e['loc']) or 'config'}: {e['msg']} (value: {_shown(e['input'])})"
            for e in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
