"""One worker process, and what all of them share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from catenary.runtime.config.section import Address, AddressOrNone, Name, Seconds, Section


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

    one_awake: bool = False
    """One of its models is awake at a time, at first the first: the others sleep once they are loaded."""
    memory_gib: float = Field(default=0.0, ge=0, le=100_000)
    """Accelerator memory that its awake engines may take together; 0: all of it (on CPU and without a figure: not
    known, so that one is awake at a time)."""

    host_memory_gib: float = Field(default=0.0, ge=0, le=100_000)
    """Host memory that the weights of its sleeping engines may take; one that has no room drops them and reads them
    again when it wakes. 0: not bounded."""

    @model_validator(mode="after")
    def _device_names_each_accelerator(self) -> WorkerConfig:
        num_named = self.device.count(",") + 1
        if self.device != "cpu" and num_named != self.num_accelerators:
            raise ValueError(
                f"device: {self.device!r} names {num_named} accelerators and num_accelerators is "
                f"{self.num_accelerators}; name each of them"
            )
        return self


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


def check_shards(worker: WorkerConfig, model: str, engine_args: Mapping[str, Any]) -> None:
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
