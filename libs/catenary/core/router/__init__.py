"""The router's state machine: queues, reservations, placements."""

from catenary.core.router.core import RouterCore
from catenary.core.router.events import (
    Assign,
    GatewayLeft,
    Offered,
    ProfileChanged,
    Reject,
    Released,
    RouterAction,
    RouterEvent,
    SnapshotArrived,
    Tick,
    Withdrawn,
    WorkerLost,
    WorkersExpected,
)
from catenary.core.router.settings import RouterSettings

__all__ = [
    "Assign",
    "GatewayLeft",
    "Offered",
    "ProfileChanged",
    "Reject",
    "Released",
    "RouterAction",
    "RouterCore",
    "RouterEvent",
    "RouterSettings",
    "SnapshotArrived",
    "Tick",
    "Withdrawn",
    "WorkerLost",
    "WorkersExpected",
]
