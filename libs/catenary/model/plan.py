"""What the provisioner wants of each worker and how far it is carried out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from catenary.model.worker import Worker


class WorkerPhase(StrEnum):
    """EXTERNAL: somebody else starts and stops the process. RELEASED: none runs until the plan wants it again."""

    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing off"
    STOPPING = "stopping"
    EXTERNAL = "external"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class AcceleratorSlot:
    """A place where a worker process can run, with the models that the configuration gives it."""

    worker_id: str
    models: tuple[str, ...]
    num_accelerators: int = 1


@dataclass(frozen=True, slots=True)
class WantedWorker:
    """A worker that is to run, with ``models`` awake."""

    worker_id: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlannedWorker:
    """A wanted worker as it is. ``next_start_s`` counts from now; ``pid`` is 0 where nothing runs or it is not ours."""

    worker_id: str
    models: tuple[str, ...]
    phase: WorkerPhase
    restarts: int = 0
    next_start_s: float = 0.0
    address: str = ""
    last_error: str = ""
    pid: int = 0
    snapshot: Worker | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """``revision`` rises with each change; ``reasons`` are the last decisions, newest last."""

    revision: int
    policy: str
    workers: tuple[PlannedWorker, ...]
    reasons: tuple[str, ...] = ()
