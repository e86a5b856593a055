"""What happens to the router, and what it wants done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from catenary.model.dispatch import QueuedCall
from catenary.model.outcome import Outcome
from catenary.model.profile import EngineProfile
from catenary.model.record import record
from catenary.model.worker import Worker


@dataclass(frozen=True, slots=True)
class Offered:
    call: QueuedCall


@dataclass(frozen=True, slots=True)
class Withdrawn:
    call_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Released:
    call_id: str
    attempt: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class SnapshotArrived:
    worker: Worker


@dataclass(frozen=True, slots=True)
class WorkerLost:
    worker_id: str


@dataclass(frozen=True, slots=True)
class WorkersExpected:
    """The models of workers that should be there, heard of or not."""

    models: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class GatewayLeft:
    gateway_id: str


@dataclass(frozen=True, slots=True)
class ProfileChanged:
    profile: EngineProfile


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passes: reservations expire, waiting calls become lost."""


RouterEvent = (
    Offered
    | Withdrawn
    | Released
    | SnapshotArrived
    | WorkerLost
    | WorkersExpected
    | GatewayLeft
    | ProfileChanged
    | Tick
)


@record(frozen=True, slots=True)
class Assign:
    """The call goes to the worker; ``latest_start`` is its priority inside the engine, ``reason`` the pick's."""

    call: QueuedCall
    worker_id: str
    worker_address: str
    latest_start: float
    reason: str


@dataclass(frozen=True, slots=True)
class Reject:
    call: QueuedCall
    outcome: Outcome
    reason: str


RouterAction = Assign | Reject
