"""One start of a worker on a Ray cluster, from the actor's creation to its end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from catenary.core.provisioner.events import ProcessEnded, ProcessStarted, WorkerServing
from catenary.runtime.tasks import cancel
from catenary_provisioner.cluster.port import Notify
from catenary_provisioner.cluster.ray_worker import RayStart, RayWorker

_STOP_MARGIN_S = 5.0
_MAX_REASON_CHARS = 500


class RayProcess:
    """Begins to start when it is made; exactly one ProcessEnded follows, also where the node is lost.

    ``options`` are those of the actor: what it needs of its node.
    """

    def __init__(
        self, ray: Any, start: RayStart, options: dict[str, Any], attempt: int, notify: Notify, worker_stop_s: float
    ) -> None:
        self.attempt = attempt
        self._ray = ray
        self._start = start
        self._options = options
        self._worker_id = start.worker_id
        self._notify = notify
        self._worker_stop_s = worker_stop_s
        self._stop_asked = asyncio.Event()
        self._at_once = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"worker {start.worker_id}")

    @property
    def has_ended(self) -> bool:
        return self._task.done()

    def stop(self, at_once: bool) -> None:
        """Begin to end it: with time to drain, or ``at_once``. Also before Ray has found a node."""
        if at_once:
            self._at_once.set()
        self._stop_asked.set()

    async def wait(self) -> None:
        await asyncio.shield(self._task)

    async def _run(self) -> None:
        try:
            actor = await asyncio.to_thread(self._create)
        except Exception as error:  # Ray raises a dozen unrelated types
            self._notify(ProcessEnded(self._worker_id, self.attempt, f"could not be started: {_brief(error)}"))
            return
        stopper = asyncio.create_task(self._stop_when_asked(actor))
        try:
            reason = await self._lead(actor)
        except Exception as error:  # the actor, its process or its node is lost
            reason = f"is lost: {_brief(error)}"
        await cancel(stopper)
        await asyncio.to_thread(self._kill, actor)
        self._notify(ProcessEnded(self._worker_id, self.attempt, reason))

    async def _lead(self, actor: Any) -> str:
        await actor.start.remote()
        self._notify(ProcessStarted(self._worker_id, self.attempt, 0))
        ready, ended = _task(actor.ready.remote()), _task(actor.ended.remote())
        try:
            await asyncio.wait((ready, ended), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                self._notify(WorkerServing(self._worker_id, self.attempt, await ready))
            return str(await ended)
        finally:
            for task in (ready, ended):
                task.cancel()
            await asyncio.gather(ready, ended, return_exceptions=True)

    def _create(self) -> Any:
        actor = self._ray.remote(**self._options)(RayPlacedWorker)
        return actor.remote(self._start)

    async def _stop_when_asked(self, actor: Any) -> None:
        await self._stop_asked.wait()
        if not self._at_once.is_set():
            asked = _task(actor.stop.remote(self._worker_stop_s))
            at_once = asyncio.create_task(self._at_once.wait())
            timeout_s = self._worker_stop_s + _STOP_MARGIN_S
            await asyncio.wait((asked, at_once), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            gone = asked.done() and not asked.cancelled() and asked.exception() is None
            for task in (asked, at_once):
                task.cancel()
            await asyncio.gather(asked, at_once, return_exceptions=True)
            if gone:
                return
        await asyncio.to_thread(self._kill, actor)

    def _kill(self, actor: Any) -> None:
        with contextlib.suppress(Exception):
            self._ray.kill(actor, no_restart=True)


class RayPlacedWorker(RayWorker):
    """Learns its node's address where it runs."""

    def __init__(self, start: RayStart) -> None:
        import ray

        super().__init__(start, ray.util.get_node_ip_address())


def _task(ref: Any) -> asyncio.Task[Any]:
    async def result() -> Any:
        return await ref

    return asyncio.create_task(result())


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:_MAX_REASON_CHARS] or type(error).__name__
