"""Worker processes on this machine."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from catenary.runtime.config import WorkerConfig
from catenary.runtime.cores import ENGINE_CORES_VARIABLE
from catenary.runtime.guard import Guard
from catenary.runtime.process import Command
from catenary.runtime.scope import Scope
from catenary_provisioner.cluster.cores import cpu_bindings, engine_cores
from catenary_provisioner.cluster.port import Notify, RunningWorker
from catenary_provisioner.cluster.worker_process import WorkerProcess

CPU_BINDING_VARIABLE = "VLLM_CPU_OMP_THREADS_BIND"


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """A worker that is asked to end has ``worker_stop_s`` seconds, one that a killed provisioner leaves behind
    ``guard_s``. ``log_dir`` empty: the workers' output goes to standard error."""

    config_path: Path | None
    device_variable: str
    worker_stop_s: float
    guard_s: float
    log_dir: str


class LocalCluster:
    """One child process per worker: ``python -m catenary_worker --worker ID``."""

    def __init__(self, workers: Sequence[WorkerConfig], settings: LocalSettings, notify: Notify) -> None:
        self._workers = {worker.id: worker for worker in workers}
        self._settings = settings
        self._notify = notify
        self._bindings = cpu_bindings(workers, usable_cores())
        self._processes: dict[str, WorkerProcess] = {}
        inherited = Scope.inherited()
        self._scope = inherited or Scope.root()
        self._guard = None if inherited else Guard(self._scope, settings.guard_s)

    async def open(self) -> None:
        """A provisioner that nobody supervises has a guard of its own."""
        if self._guard is not None:
            await self._guard.start()

    def start(self, worker_id: str, attempt: int) -> None:
        """The worker's earlier process must have ended."""
        self._processes[worker_id] = WorkerProcess(
            self._command(worker_id), self._scope, attempt, self._notify, self._settings.worker_stop_s
        )

    def stop(self, worker_id: str, at_once: bool) -> None:
        if process := self._processes.get(worker_id):
            process.stop(at_once)

    def list(self) -> list[RunningWorker]:
        running = sorted((name, process) for name, process in self._processes.items() if not process.has_ended)
        return [RunningWorker(name, process.attempt, process.pid) for name, process in running]

    async def close(self) -> None:
        for process in self._processes.values():
            process.stop(at_once=False)
        await asyncio.gather(*(process.wait() for process in self._processes.values()))
        if self._guard is not None:
            await self._guard.stop()

    def _command(self, worker_id: str) -> Command:
        worker = self._workers[worker_id]
        arguments = [sys.executable, "-m", "catenary_worker", "--worker", worker_id]
        if self._settings.config_path is not None:
            arguments += ["--config", str(self._settings.config_path)]
        if worker.device == "cpu":
            environment = {
                CPU_BINDING_VARIABLE: self._bindings[worker_id],
                ENGINE_CORES_VARIABLE: engine_cores(worker_id, self._bindings, usable_cores()),
            }
        else:
            environment = {self._settings.device_variable: worker.device}
        log = Path(self._settings.log_dir) / f"{worker_id}.out" if self._settings.log_dir else None
        return Command(worker_id, tuple(arguments), environment, log)


def usable_cores() -> list[int]:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
