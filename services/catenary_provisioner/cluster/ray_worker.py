"""What runs on a node of a Ray cluster: an actor with one worker process."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from catenary.runtime.process import Child, Command
from catenary.runtime.scope import Scope


@dataclass(frozen=True, slots=True)
class RayStart:
    """``config`` is the whole configuration as plain values; every file that it names is there on each node."""

    worker_id: str
    config: dict[str, Any]
    device_variable: str


class RayWorker:
    """An asynchronous actor. The worker ends with the actor's process, and the actor's process with its node."""

    def __init__(self, start: RayStart, node_address: str) -> None:
        self._start = start
        self._node_address = node_address
        self._child: Child | None = None
        self._folder: Path | None = None

    async def start(self) -> None:
        """Raises OSError."""
        self._folder = Path(tempfile.mkdtemp(prefix="catenary-"))
        path = self._folder / "catenary.yaml"
        path.write_text(yaml.safe_dump(self.placed()))
        name = self._start.worker_id
        arguments = (sys.executable, "-m", "catenary_worker", "--worker", name, "--config", str(path))
        self._child = await Child.spawn(Command(name, arguments), Scope.root())

    async def ready(self) -> str:
        """The worker's address. It has read its configuration by then. Raises ChildError."""
        address = await self._running().ready()
        self._forget_folder()
        return address

    async def ended(self) -> str:
        """Waits for the worker's end; says how it ended."""
        reason = await self._running().wait()
        self._forget_folder()
        return reason

    async def stop(self, grace_s: float) -> None:
        await self._running().stop(grace_s)

    def _running(self) -> Child:
        if self._child is None:
            raise RuntimeError(f"{self._start.worker_id}: is not started")
        return self._child

    def _forget_folder(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def placed(self) -> dict[str, Any]:
        """The configuration with this node's address, and the accelerators that Ray gave to the actor."""
        workers = [dict(worker) for worker in self._start.config["workers"]]
        for worker in workers:
            if worker["id"] == self._start.worker_id:
                worker["address"] = f"{self._node_address}:{worker['address'].rpartition(':')[2]}"
                if worker["device"] != "cpu":
                    worker["device"] = os.environ.get(self._start.device_variable) or worker["device"]
        return {**self._start.config, "workers": workers}
