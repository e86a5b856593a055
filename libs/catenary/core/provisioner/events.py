"""What the provisioner's state machine takes in and what it asks for.

``attempt`` numbers the starts of a worker's process from 1; 0 stands for a process that somebody else started.
"""

from __future__ import annotations

from dataclasses import dataclass

from catenary.model.demand import DemandReport
from catenary.model.profile import EngineProfile
from catenary.model.worker import SleepMode, Worker


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class ProcessStarted:
    worker_id: str
    attempt: int
    pid: int


@dataclass(frozen=True, slots=True)
class WorkerServing:
    """The worker answers at ``address``."""

    worker_id: str
    attempt: int
    address: str


@dataclass(frozen=True, slots=True)
class ProcessEnded:
    """The process and all that it started are gone, or could not be started."""

    worker_id: str
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class SnapshotArrived:
    attempt: int
    worker: Worker


@dataclass(frozen=True, slots=True)
class StopRequested:
    """End all workers for good."""


@dataclass(frozen=True, slots=True)
class AcquireRequested:
    """Asking again with the same ``holder`` extends the lease. ``worker_id``: only there; empty: on any worker.
    ``may_sleep``: the holder wakes it where it sleeps."""

    model: str
    holder: str
    worker_id: str = ""
    may_sleep: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    model: str
    worker_id: str
    holder: str


@dataclass(frozen=True, slots=True)
class DemandArrived:
    report: DemandReport


@dataclass(frozen=True, slots=True)
class ProfileChanged:
    profile: EngineProfile


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A worker has answered SleepReplica, WakeReplica or LoadReplica; empty ``error``: it is done."""

    worker_id: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class PrefetchEnded:
    """A worker has answered PrefetchWeights: what it read in ``duration_s`` seconds, or why not."""

    worker_id: str
    model: str
    num_bytes: int = 0
    duration_s: float = 0.0
    error: str = ""


ProvisionerEvent = (
    Tick
    | ProcessStarted
    | WorkerServing
    | ProcessEnded
    | SnapshotArrived
    | StopRequested
    | AcquireRequested
    | ReleaseRequested
    | DemandArrived
    | ProfileChanged
    | StepEnded
    | PrefetchEnded
)


@dataclass(frozen=True, slots=True)
class StartWorker:
    worker_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class StopWorker:
    """Ends in ProcessEnded. ``at_once``: it does not answer, so that waiting for it is no use."""

    worker_id: str
    attempt: int
    at_once: bool


@dataclass(frozen=True, slots=True)
class LoadModel:
    """Start a dead engine again on a living worker. Its success or failure shows in the snapshots."""

    worker_id: str
    address: str
    model: str
    generation: int


@dataclass(frozen=True, slots=True)
class ReserveReplica:
    worker_id: str
    address: str
    model: str
    holder: str
    reserved: bool


@dataclass(frozen=True, slots=True)
class Granted:
    """Answers AcquireRequested; the lease ends ``lease_s`` seconds from now unless it is asked for again."""

    worker_id: str
    address: str
    lease_s: float


@dataclass(frozen=True, slots=True)
class Refused:
    """Answers AcquireRequested."""

    reason: str


@dataclass(frozen=True, slots=True)
class SleepReplica:
    """Ends in StepEnded, as WakeReplica and LoadReplica do."""

    worker_id: str
    address: str
    model: str
    generation: int
    mode: SleepMode


@dataclass(frozen=True, slots=True)
class WakeReplica:
    worker_id: str
    address: str
    model: str
    generation: int


@dataclass(frozen=True, slots=True)
class LoadReplica:
    """As LoadModel, for a step of the plan."""

    worker_id: str
    address: str
    model: str
    generation: int


@dataclass(frozen=True, slots=True)
class PrefetchWeights:
    """Read the weights into the page cache beside whatever the worker does. Ends in PrefetchEnded."""

    worker_id: str
    address: str
    model: str


@dataclass(frozen=True, slots=True)
class PublishPlan:
    """The plan has changed."""

    revision: int


ProvisionerAction = (
    StartWorker
    | StopWorker
    | LoadModel
    | ReserveReplica
    | Granted
    | Refused
    | SleepReplica
    | WakeReplica
    | LoadReplica
    | PrefetchWeights
    | PublishPlan
)
