"""What the provisioner needs of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from catenary.core.provisioner.events import ProcessEnded, ProcessStarted, WorkerServing

ClusterEvent = ProcessStarted | WorkerServing | ProcessEnded
Notify = Callable[[ClusterEvent], None]


@dataclass(frozen=True, slots=True)
class RunningWorker:
    """A worker process as its backend knows it; ``pid`` 0 and ``attempt`` 0 where somebody else started it."""

    worker_id: str
    attempt: int
    pid: int


class ClusterBackend(Protocol):
    """Starts and stops worker processes; tells what becomes of them through the ``notify`` it was built with.

    Each ``start`` leads to exactly one ProcessEnded, sooner or later.
    """

    async def open(self) -> None:
        """Begin to notify."""
        ...

    def start(self, worker_id: str, attempt: int) -> None:
        """Begin to start a process of the worker; none of it may run."""
        ...

    def stop(self, worker_id: str, at_once: bool) -> None:
        """Begin to end the worker's process: after its drain, or ``at_once``."""
        ...

    def list(self) -> list[RunningWorker]:
        """The workers that run now, by name."""
        ...

    async def close(self) -> None:
        """End all processes that this backend started, and its own tasks."""
        ...
