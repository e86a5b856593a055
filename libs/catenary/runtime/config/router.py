"""The router."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from catenary.runtime.config.section import Address, AddressOrNone, Name, Seconds, Section


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
    """Part of a pool's seats that late runs may hold while others wait or half of the seats are taken."""
    pools_interval_s: Seconds = 0.1
    """How often the gateways hear of the pools at least; of a replica that comes or goes they hear at once."""
    return_grace_s: Seconds = 30.0
    """How long a worker that ended, drains or has not come up yet counts as on its way."""
    lease_ttl_s: Seconds = 1.5
    """Without renewal for so long, a standby takes over."""
    metrics_port: int = Field(default=0, ge=0, le=65_535)
    """Port of its Prometheus metrics; 0: none."""
