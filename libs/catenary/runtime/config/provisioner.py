"""The provisioner."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from catenary.runtime.config.section import Address, Name, Seconds, Section


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
    awake_together: int = Field(default=1, ge=1, le=64)
    """Models that may be awake at a time on one `one_awake` worker, where their profiles' memory fits; "risk" wakes one
    beside another where that misses less, slowed as the profile's sharing_loss says."""
    prefetch: bool = True
    """"risk" has weights read into the host's page cache ahead of a load that it foresees."""
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
    """How long a worker may take to end, its drain_timeout_s not counted, before it is killed."""
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
