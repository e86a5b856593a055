"""The configuration of all services: one YAML file, each value overridable by an environment variable.

``CATENARY_ROUTER__QUEUE_LIMIT=100`` overrides ``router.queue_limit``; lists and mappings are given as JSON.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

ENV_PREFIX = "CATENARY_"
CONFIG_VARIABLE = "CATENARY_CONFIG"

Address = Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9_.-]+):\d{1,5}$")]
AddressOrNone = Annotated[str, Field(pattern=r"^$|^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9_.-]+):\d{1,5}$")]
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
    """One model that workflows can name."""

    source: str = ""
    """Folder, `hf://org/name` or `gguf+package://package/file.gguf`; an emulated engine needs none."""
    engine: EngineKind = EngineKind.VLLM
    """What runs it."""
    tokenizer: str = ""
    """Folder of another tokenizer; empty: the source's own."""
    max_model_len: int = Field(default=2048, ge=16, le=4_194_304)
    """Tokens of prompt and output together."""
    max_num_seqs: int = Field(default=16, ge=1, le=4096)
    """Sequences that one replica decodes at once: its seats."""
    lookahead: int = Field(default=2, ge=0, le=256)
    """Calls that may wait inside a replica's engine beyond its seats."""
    max_num_batched_tokens: int = Field(default=2048, ge=16, le=1_048_576)
    """Tokens of one engine step, prefill chunks included."""
    engine_args: dict[str, Any] = Field(default_factory=dict)
    """Passed to vLLM's AsyncEngineArgs as they are."""
    min_awake: int = Field(default=0, ge=0, le=1024)
    """Replicas that the provisioner keeps awake at least."""
    max_awake: int = Field(default=1024, ge=0, le=1024)
    """Replicas that it keeps awake at most."""
    keep_warm: int = Field(default=0, ge=0, le=1024)
    """Replicas that stay loaded, awake or asleep, however idle they are."""
    profile: str = ""
    """Profile file; for an emulated engine it is the engine's behaviour."""
    default_output_tokens: int = Field(default=128, ge=1, le=1_048_576)
    """Predicted output of a call before any has been measured."""


class WorkerConfig(Section):
    """One worker process."""

    id: Name
    """Name of the worker, unique."""
    models: list[Name] = Field(min_length=1, max_length=64)
    """Models that it loads."""
    device: str = "cpu"
    """Value of the accelerator variable ("0", "0,1"), or "cpu"."""
    address: Address = "127.0.0.1:0"
    """Where it serves; port 0: any free one."""
    advertise: AddressOrNone = ""
    """host:port that the others reach it at, such as a proxy's; empty: `address`."""
    cpu_threads: str = ""
    """Cores that a CPU engine is bound to ("0-3"); empty: the CPU workers share the cores evenly."""
    kv_cache_gib: float = Field(default=1.0, gt=0, le=4096)
    """KV cache of a CPU or emulated engine."""
    num_accelerators: int = Field(default=1, ge=1, le=8)
    """Accelerators of the set that it owns."""
    metrics_port: int = Field(default=0, ge=0, le=65_535)
    """Port of its Prometheus metrics; 0: none."""
    resources: dict[Name, Annotated[float, Field(gt=0, le=1_000_000)]] = Field(default_factory=dict, max_length=16)
    """What it needs of a Ray node besides accelerators, by the names of Ray's custom resources."""

    @model_validator(mode="after")
    def _device_names_each_accelerator(self) -> WorkerConfig:
        num_named = self.device.count(",") + 1
        if self.device != "cpu" and num_named != self.num_accelerators:
            raise ValueError(
                f"device: {self.device!r} names {num_named} accelerators and num_accelerators is "
                f"{self.num_accelerators}; name each of them"
            )
        return self

    one_awake: bool = False
    """One of its models is awake at a time, at first the first: the others sleep once they are loaded."""


class StoreConfig(Section):
    """Where state is kept."""

    url: str = "embedded"
    """"embedded" starts a Valkey server in `data_dir`; otherwise a redis://, rediss:// or unix:// address."""
    data_dir: Path = Path(".catenary/store")
    """Folder of the embedded server's data."""
    run_retention_s: Seconds = 86_400.0
    """How long a finished run is kept."""
    max_runs: int = Field(default=100_000, ge=1, le=10_000_000)
    """Runs that are kept; further ones are refused."""
    max_memory_mb: int = Field(default=512, ge=16, le=1_048_576)
    """Memory of the embedded server; writes past it are refused."""
    write_timeout_s: Seconds = 5.0
    """How long a write waits for its answer."""


class LimitsConfig(Section):
    """Bounds on specifications and on what a run of one may grow to."""

    max_calls: int = Field(default=256, ge=1, le=10_000)
    """Calls of a workflow."""
    max_depth: int = Field(default=64, ge=1, le=10_000)
    """Calls on its longest path."""
    max_items: int = Field(default=256, ge=1, le=100_000)
    """Items of a map."""
    max_run_calls: int = Field(default=2048, ge=1, le=100_000)
    """Calls of a run, map items counted one by one."""
    max_prompt_bytes: int = Field(default=1 << 20, ge=1, le=1 << 26)
    """A rendered prompt."""
    max_template_bytes: int = Field(default=1 << 16, ge=1, le=1 << 24)
    """A template or condition."""
    max_spec_bytes: int = Field(default=1 << 20, ge=1, le=1 << 26)
    """A whole specification."""
    max_inputs_bytes: int = Field(default=4 << 20, ge=1, le=1 << 26)
    """The inputs of a run, as a message."""
    max_map_bytes: int = Field(default=8 << 20, ge=1, le=1 << 26)
    """The prompts of all items of a map together."""
    max_output_bytes: int = Field(default=8 << 20, ge=1, le=1 << 26)
    """The rendered output of a run."""
    max_deadline_s: float = Field(default=86_400.0, gt=0, le=604_800)
    """A deadline."""
    max_stop: int = Field(default=16, ge=0, le=256)
    """Stop strings of a call."""
    max_output_tokens: int = Field(default=32_768, ge=1, le=1_048_576)
    """`max_tokens` of a call."""


class GatewayConfig(Section):
    """The scheduler-gateway."""

    id: Name = "gateway-0"
    """Name of this gateway, unique."""
    address: Address = "127.0.0.1:7450"
    """Where it serves."""
    advertise: AddressOrNone = ""
    """host:port that the others reach it at, such as a proxy's; empty: `address`."""
    limits: LimitsConfig = Field(default_factory=LimitsConfig)
    admission: Literal["none", "feasible"] = "feasible"
    """"feasible" refuses runs that cannot finish in time; "none" admits all."""
    admit_probability: float = Field(default=0.1, ge=0, le=1)
    """Least probability of meeting the deadline with which a run is admitted."""
    shed_crowded: bool = True
    """Where a pool cannot serve every run in time, those worth least are refused or lost."""
    tenants: dict[Name, Annotated[float, Field(gt=0, le=1e6)]] = Field(default_factory=dict)
    """Weights of tenants' shares of the work, which bind only while somebody must miss; 1 where none is given."""
    max_active_runs: int = Field(default=10_000, ge=1, le=1_000_000)
    """Runs that have not ended; further ones are refused."""
    max_attempts: int = Field(default=3, ge=1, le=100)
    """Placements of a call before it fails its run."""
    event_buffer: int = Field(default=4096, ge=16, le=1_000_000)
    """Events that wait for a slow client before its stream is ended."""
    default_attainment: float = Field(default=0.95, gt=0, lt=1)
    """Attainment of a workflow that names none."""
    late_multiple: float = Field(default=3.0, ge=1, le=100)
    """A late run ends EXPIRED at this multiple of its deadline."""
    lease_ttl_s: Seconds = 2.0
    """Without renewal for so long, another gateway takes its runs over."""
    metrics_port: int = Field(default=0, ge=0, le=65_535)
    """Port of its Prometheus metrics; 0: none."""
    grace_s: Seconds = 5.0
    """How long all clients of a run that is not detached may stay away before it is cancelled."""


class RouterConfig(Section):
    """The router."""

    id: Name = "router-0"
    """Name of this router, unique."""
    address: Address = "127.0.0.1:7451"
    """Where it serves."""
    advertise: AddressOrNone = ""
    """host:port that the others reach it at, such as a proxy's; empty: `address`."""
    ordering: Literal["fcfs", "edf", "least_slack"] = "least_slack"
    """Order of the calls in a queue."""
    routing: Literal["round_robin", "least_loaded", "slack_aware"] = "slack_aware"
    """Choice of the worker."""
    shed_lost: bool = True
    """Calls of runs that can no longer finish in time give way to those that can."""
    triage: bool = True
    """Where not every waiting call can be in time, the fewest are left out."""
    queue_limit: int = Field(default=10_000, ge=1, le=1_000_000)
    """Calls in one pool's queue; further ones are refused."""
    reservation_ttl_s: Seconds = 30.0
    """How long a place is kept for a call that no snapshot shows."""
    late_share: float = Field(default=0.1, ge=0, le=1)
    """Part of a pool's seats that late runs may hold while others wait."""
    pools_interval_s: Seconds = 0.1
    """How often the gateways hear of the pools."""
    lease_ttl_s: Seconds = 1.5
    """Without renewal for so long, a standby takes over."""
    metrics_port: int = Field(default=0, ge=0, le=65_535)
    """Port of its Prometheus metrics; 0: none."""


class ProfilerConfig(Section):
    """The profiler."""

    address: Address = "127.0.0.1:7452"
    """Where it serves."""
    profiles_dir: Path = Path("profiles")
    """Folder of the profile files."""
    max_correction: float = Field(default=2.0, ge=1, le=10)
    """Bound on the factor that finished calls correct a profile by."""
    acquire_timeout_s: Seconds = 60.0
    """How long it waits for a replica to be set aside."""
    call_timeout_s: Seconds = 300.0
    """How long one measured call may take."""


class ProvisionerConfig(Section):
    """The provisioner."""

    id: Name = "provisioner-0"
    """Name of this provisioner, unique."""
    address: Address = "127.0.0.1:7453"
    """Where it serves."""
    policy: Literal["static", "reactive", "risk"] = "static"
    """"static" keeps what the workers' configuration says; "reactive" follows queues; "risk" predicted misses."""
    plan_interval_s: Seconds = 1.0
    """How often the plan is made anew."""
    demand_interval_s: float = Field(default=0.25, gt=0, le=60)
    """How often gateways tell what arrives and what is still to come."""
    budget: int = Field(default=1024, ge=1, le=1024)
    """Accelerators on which a model may be awake at one time."""
    horizon_s: Seconds = 8.0
    """How far ahead "risk" predicts misses; further where waking takes longer."""
    replica_price: float = Field(default=0.05, ge=0, le=1000)
    """Missed runs that an awake replica must avoid per second, for "risk"; 0: nothing is put to sleep to save."""
    hysteresis_s: Seconds = 2.0
    """How long a sleep or a switch must look right before it is done."""
    dwell_s: Seconds = 15.0
    """Least time between two switches of one accelerator."""
    idle_release_s: float = Field(default=0.0, ge=0, le=86_400)
    """A worker that the provisioner started and on which nothing is awake is ended after so long; 0: never."""
    target_calls: float = Field(default=8.0, gt=0, le=4096)
    """Calls per replica that "reactive" aims at."""
    cluster: Literal["local", "static", "ray"] = "local"
    """"local" starts worker processes; "static" waits for workers that register themselves; "ray" has a Ray cluster
    start them."""
    ray_address: str = "auto"
    """The Ray cluster: host:port of its head, or "auto" for the one that this machine belongs to."""
    start_timeout_s: Seconds = 900.0
    """How long a worker may take until it serves."""
    stop_timeout_s: Seconds = 20.0
    """How long a worker may take to end before it is killed."""
    backoff_s: Seconds = 0.5
    """Pause before the first restart of a worker that ended."""
    max_backoff_s: Seconds = 30.0
    """The pause doubles up to this."""
    stable_s: Seconds = 60.0
    """A worker that ran so long starts again with the first pause."""
    unresponsive_s: Seconds = 15.0
    """A worker without a snapshot for so long is restarted."""
    replica_lease_s: Seconds = 60.0
    """A replica set aside and not extended for so long returns to its pool."""
    lease_ttl_s: Seconds = 5.0
    """Without renewal for so long, another provisioner takes over."""
    metrics_port: int = Field(default=0, ge=0, le=65_535)
    """Port of its Prometheus metrics; 0: none."""
    device_variable: Name = "CUDA_VISIBLE_DEVICES"
    """Environment variable that names a worker's accelerators."""


class WorkerDefaults(Section):
    """What all workers share."""

    heartbeat_s: Seconds = 0.5
    """How often a worker publishes that it lives."""
    liveness_ttl_s: Seconds = 3.0
    """Without a heartbeat for so long, it is gone."""
    snapshot_interval_s: Seconds = 0.2
    """Least time between two snapshots."""
    drain_timeout_s: Seconds = 60.0
    """How long running calls may finish after SIGTERM."""
    max_calls: int = Field(default=1024, ge=1, le=100_000)
    """Calls that a worker holds; further ones are refused."""


class TelemetryConfig(Section):
    """Traces and logs."""

    otlp_endpoint: str = ""
    """host:port or URL of an OTLP collector (gRPC); empty: no traces are exported."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged."""
    log_dir: str = ""
    """Folder of the log files; empty: standard error."""


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
                _check_shards(worker, model, self.models[model].engine_args)
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


def _check_shards(worker: WorkerConfig, model: str, engine_args: Mapping[str, Any]) -> None:
    """An engine takes the whole accelerator set of its worker, and the budget counts the set."""
    shards = [engine_args.get(name) for name in ("tensor_parallel_size", "pipeline_parallel_size")]
    if shards == [None, None]:
        return
    num_shards = math.prod(int(size or 1) for size in shards)
    if num_shards != worker.num_accelerators:
        raise ValueError(
            f"models.{model}.engine_args: {num_shards} shards on workers.{worker.id}, whose num_accelerators is "
            f"{worker.num_accelerators}; make them equal (without the argument the set is used for tensor parallelism)"
        )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
