"""A service process that is started again when it ends by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from catenary.runtime.health import wait_serving
from catenary.runtime.process import Child, ChildError, Command
from catenary.runtime.scope import Scope
from catenary.runtime.tasks import cancel


class ServiceState(StrEnum):
    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing off"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ServiceChanged:
    """A service entered ``state``; ``detail`` says why, for people."""

    name: str
    state: ServiceState
    address: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class KeepSettings:
    """Seconds, and how many ends in a row, each after less than ``stable_s`` of service, are too many."""

    ready_timeout_s: float = 600.0
    backoff_s: float = 0.5
    max_backoff_s: float = 10.0
    stable_s: float = 30.0
    max_failures: int = 5


class KeptService:
    """Its first start must succeed; later ends are answered with a new start after a back-off, a bounded number."""

    def __init__(
        self, command: Command, scope: Scope, settings: KeepSettings, on_change: Callable[[ServiceChanged], None]
    ) -> None:
        self.name = command.name
        self.address = ""
        self._command = command
        self._scope = scope
        self._settings = settings
        self._on_change = on_change
        self._child: Child | None = None
        self._keeper: asyncio.Task[str] | None = None

    @property
    def pid(self) -> int:
        """0 where no process runs."""
        return 0 if self._child is None or self._child.has_ended else self._child.pid

    async def start(self) -> None:
        """Returns when the service answers its health check.

        Raises:
            ChildError: it ended or was not ready in time; the text has its last lines.
            OSError: the process or its log file cannot be made.
        """
        await self._start_once()
        self._keeper = asyncio.create_task(self._keep(), name=f"keeper of {self.name}")

    async def failed(self) -> str:
        """Waits until the service is given up and returns why."""
        if self._keeper is None:
            raise RuntimeError(f"{self.name} was not started")
        return await asyncio.shield(self._keeper)

    async def stop(self, grace_s: float) -> None:
        """End the process: SIGTERM, and SIGKILL after ``grace_s``."""
        if self._keeper is not None:
            await cancel(self._keeper)
        if self._child is not None:
            self._tell(ServiceState.STOPPING)
            await self._child.stop(grace_s)
            self._tell(ServiceState.STOPPED)

    async def _start_once(self) -> None:
        self._tell(ServiceState.STARTING)
        deadline = time.monotonic() + self._settings.ready_timeout_s
        self._child = await Child.spawn(self._command, self._scope)
        self.address = await self._child.ready(self._settings.ready_timeout_s)
        serving = asyncio.create_task(wait_serving(self.address))
        ended = asyncio.create_task(self._child.wait())
        try:
            await asyncio.wait(
                (serving, ended), timeout=deadline - time.monotonic(), return_when=asyncio.FIRST_COMPLETED
            )
            if ended.done():
                raise ChildError(f"{self.name} {ended.result()}")
            if not serving.done():
                raise ChildError(f"{self.name} is not healthy after {self._settings.ready_timeout_s:g} s")
        finally:
            await cancel(serving, ended)
        self._tell(ServiceState.READY)

    async def _keep(self) -> str:
        """Returns why the service is given up."""
        failures = 0
        ready_at = time.monotonic()
        reason = await self._ended()
        while True:
            failures = 1 if time.monotonic() - ready_at >= self._settings.stable_s else failures + 1
            if failures > self._settings.max_failures:
                reason = f"{self.name} ended {failures} times in a row; the last time it {reason}"
                self._tell(ServiceState.FAILED, reason)
                return reason
            delay_s = min(self._settings.max_backoff_s, self._settings.backoff_s * 2.0 ** (failures - 1))
            self._tell(ServiceState.BACKING_OFF, f"{reason}\nstarts again in {delay_s:g} s")
            await asyncio.sleep(delay_s)
            try:
                await self._start_once()
            except (ChildError, OSError) as error:
                reason = str(error)
                if self._child is not None:
                    await self._child.kill()
                continue
            ready_at = time.monotonic()
            reason = await self._ended()

    async def _ended(self) -> str:
        assert self._child is not None
        return await self._child.wait()

    def _tell(self, state: ServiceState, detail: str = "") -> None:
        self._on_change(ServiceChanged(self.name, state, self.address, detail))
