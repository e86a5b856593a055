"""One start of a worker on this machine, from the spawn to the end of all that it started."""

from __future__ import annotations

import asyncio
import contextlib

from catenary.core.provisioner.events import ProcessEnded, ProcessStarted, WorkerServing
from catenary.runtime.process import Child, ChildError, Command
from catenary.runtime.scope import Scope
from catenary.runtime.tasks import cancel
from catenary_provisioner.cluster.port import Notify


class WorkerProcess:
    """Begins to start when it is made; exactly one ProcessEnded follows."""

    def __init__(self, command: Command, scope: Scope, attempt: int, notify: Notify, worker_stop_s: float) -> None:
        self.attempt = attempt
        self.pid = 0
        self._worker_id = command.name
        self._notify = notify
        self._worker_stop_s = worker_stop_s
        self._stop_asked = asyncio.Event()
        self._at_once = False
        self._task = asyncio.create_task(self._run(command, scope), name=f"worker {command.name}")

    @property
    def has_ended(self) -> bool:
        return self._task.done()

    def stop(self, at_once: bool) -> None:
        """Begin to end it: with time to drain, or ``at_once``. Also before the spawn is through."""
        self._at_once |= at_once
        self._stop_asked.set()

    async def wait(self) -> None:
        await asyncio.shield(self._task)

    async def _run(self, command: Command, scope: Scope) -> None:
        try:
            child = await Child.spawn(command, scope)
        except OSError as error:
            self._notify(ProcessEnded(self._worker_id, self.attempt, f"could not be started: {error}"))
            return
        self.pid = child.pid
        self._notify(ProcessStarted(self._worker_id, self.attempt, child.pid))
        helpers = (asyncio.create_task(self._announce(child)), asyncio.create_task(self._stop_when_asked(child)))
        reason = await child.wait()
        await cancel(*helpers)
        self._notify(ProcessEnded(self._worker_id, self.attempt, reason))

    async def _announce(self, child: Child) -> None:
        with contextlib.suppress(ChildError):
            self._notify(WorkerServing(self._worker_id, self.attempt, await child.ready()))

    async def _stop_when_asked(self, child: Child) -> None:
        await self._stop_asked.wait()
        await (child.kill() if self._at_once else child.stop(self._worker_stop_s))
