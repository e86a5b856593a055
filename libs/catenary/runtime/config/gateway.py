"""The scheduler-gateway."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from catenary.runtime.config.limits import LimitsConfig
from catenary.runtime.config.section import Address, AddressOrNone, Name, Seconds, Section

MAX_PORT = 65_535
GATEWAY_PORT_STEP = 10
"""Between gateways of one machine: the other services listen at the ports next to the first one."""


class GatewayConfig(Section):
    """The scheduler-gateway."""

    id: Name = "gateway-0"
    """Name of this gateway, unique."""
    address: Address = "127.0.0.1:7450"
    """Where it serves."""
    count: int = Field(default=1, ge=1, le=64)
    """Gateways that `catenary up` starts, each a process: the second is called `id`-1 and listens ten ports behind
    those of `address` and `metrics_port`, the third twenty."""
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
    metrics_port: int = Field(default=0, ge=0, le=MAX_PORT)
    """Port of its Prometheus metrics; 0: none."""
    grace_s: Seconds = 5.0
    """How long all clients of a run that is not detached may stay away before it is cancelled."""

    @model_validator(mode="after")
    def _ports_of_all(self) -> GatewayConfig:
        if self.count > 1 and self.advertise:
            raise ValueError(f"advertise: {self.advertise!r} is one address, count {self.count}; leave it empty")
        for name, port in (("address", int(self.address.rpartition(":")[2])), ("metrics_port", self.metrics_port)):
            if port + (self.count - 1) * GATEWAY_PORT_STEP > MAX_PORT:
                apart = f"count {self.count}, each {GATEWAY_PORT_STEP} ports from the next"
                raise ValueError(f"{name}: {port} leaves no room for {apart}, below {MAX_PORT}")
        return self
