"""Workers on an existing Ray cluster: one actor each, placed by Ray."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catenary.runtime.config import Config, ConfigError, WorkerConfig
from catenary.runtime.wire.profile import find_profile_file
from catenary_provisioner.cluster.port import Notify, RunningWorker
from catenary_provisioner.cluster.ray_process import RayProcess
from catenary_provisioner.cluster.ray_worker import RayStart

_NAMESPACE = "catenary"


@dataclass(frozen=True, slots=True)
class RaySettings:
    """``config`` is what the workers get, as plain values."""

    address: str
    config: dict[str, Any]
    device_variable: str
    worker_stop_s: float


class RayCluster:
    """Actors are not restarted by Ray: each end is told, and the provisioner starts the worker again on what is left.

    They end with this process. A worker that no node has room for waits until its start times out.
    """

    def __init__(self, workers: Sequence[WorkerConfig], settings: RaySettings, notify: Notify) -> None:
        """Raises ConfigError where Ray is not installed."""
        if importlib.util.find_spec("ray") is None:
            raise ConfigError("provisioner.cluster: 'ray' needs the package ray; pip install 'catenary[ray]'")
        self._workers = {worker.id: worker for worker in workers}
        self._settings = settings
        self._notify = notify
        self._ray: Any = None
        self._processes: dict[str, RayProcess] = {}

    async def open(self) -> None:
        """Raises ConnectionError where no Ray cluster answers."""
        self._ray = await asyncio.to_thread(_connected, self._settings.address)

    def start(self, worker_id: str, attempt: int) -> None:
        """The worker's earlier process must have ended."""
        start = RayStart(worker_id, self._settings.config, self._settings.device_variable)
        options = actor_options(self._workers[worker_id])
        self._processes[worker_id] = RayProcess(
            self._ray, start, options, attempt, self._notify, self._settings.worker_stop_s
        )

    def stop(self, worker_id: str, at_once: bool) -> None:
        if process := self._processes.get(worker_id):
            process.stop(at_once)

    def list(self) -> list[RunningWorker]:
        running = sorted((name, process) for name, process in self._processes.items() if not process.has_ended)
        return [RunningWorker(name, process.attempt, 0) for name, process in running]

    async def close(self) -> None:
        for process in self._processes.values():
            process.stop(at_once=False)
        await asyncio.gather(*(process.wait() for process in self._processes.values()))
        if self._ray is not None:
            await asyncio.to_thread(self._ray.shutdown)


def actor_options(worker: WorkerConfig) -> dict[str, Any]:
    """What the worker's actor asks of its node."""
    on_cpu = worker.device == "cpu"
    return {
        "num_cpus": 1,
        "num_gpus": 0 if on_cpu else worker.num_accelerators,
        "resources": dict(worker.resources),
        "max_restarts": 0,
        "max_task_retries": 0,
    }


def portable(config: Config, config_path: Path | None) -> dict[str, Any]:
    """The configuration as plain values for a process on another node: its output goes to Ray, and profile files are
    named by their absolute path."""
    values: dict[str, Any] = config.model_dump(mode="json")
    values["telemetry"]["log_dir"] = ""
    for model in values["models"].values():
        if model["profile"]:
            model["profile"] = str(find_profile_file(model["profile"], config_path).resolve())
    return values


def _connected(address: str) -> Any:
    import ray

    ray.init(address=address, namespace=_NAMESPACE, log_to_driver=False, configure_logging=False)
    return ray
