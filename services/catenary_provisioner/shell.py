"""Runs the provisioner's core: feeds it events and carries out its actions."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import grpc
import structlog

from catenary.core.provisioner import ProvisionerCore
from catenary.core.provisioner.events import (
    AcquireRequested,
    Granted,
    LoadModel,
    LoadReplica,
    PrefetchEnded,
    PrefetchWeights,
    ProcessEnded,
    ProvisionerAction,
    ProvisionerEvent,
    PublishPlan,
    Refused,
    ReleaseRequested,
    ReserveReplica,
    SleepReplica,
    SnapshotArrived,
    StartWorker,
    StepEnded,
    StopRequested,
    StopWorker,
    Tick,
    WakeReplica,
    WorkerServing,
)
from catenary.runtime import clock
from catenary.runtime.background import Background
from catenary.runtime.rpc import error_info
from catenary.runtime.tasks import cancel
from catenary.runtime.wire.plan import plan_to_proto
from catenary.v1.provisioner_service_pb2 import Plan
from catenary_provisioner.cluster.port import ClusterBackend, ClusterEvent, Notify
from catenary_provisioner.worker_link import WorkerLink

TICK_S = 0.2


class NoLink(Exception):
    """The worker is not connected now."""


class Provisioner:
    """One core, one backend, one link per serving worker. All calls come from one event loop."""

    def __init__(
        self,
        core: ProvisionerCore,
        backend: Callable[[Notify], ClusterBackend],
        watcher_id: str,
        publish: Callable[[Plan], None],
        background: Background,
    ) -> None:
        self.epoch = 0
        self._core = core
        self._backend = backend(self._from_cluster)
        self._watcher_id = watcher_id
        self._publish = publish
        self._background = background
        self._changed_at = time.time()
        self._links: dict[str, WorkerLink] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._commands: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.Task[None] | None = None
        self._stopping = False
        self._log = structlog.get_logger()

    def plan(self) -> Plan:
        plan = plan_to_proto(self._core.plan(clock.now()), self.epoch)
        plan.update_time.FromMicroseconds(round(self._changed_at * 1e6))
        return plan

    async def start(self) -> None:
        await self._backend.open()
        self._ticker = self._background.spawn(self._tick(), essential=True)

    async def stop(self) -> None:
        """End all workers that this provisioner started, also where decisions fail, which may be why it stops."""
        if self._ticker is None:
            return
        self._stopping = True
        self.post(StopRequested())
        await self._backend.close()
        await cancel(self._ticker)
        await cancel(*self._commands)
        for link in self._links.values():
            self._own(link.close())
        self._links.clear()
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def acquire(self, event: AcquireRequested) -> Granted | Refused:
        """Set a replica aside and have its worker mark it.

        Raises:
            grpc.RpcError, NoLink: the worker does not answer; the replica stays in its pool.
        """
        answer: Granted | Refused = Refused("no answer")
        for action in self._core.handle(event, clock.now()):
            if isinstance(action, Granted | Refused):
                answer = action
            elif isinstance(action, ReserveReplica):
                await self._reserve_or_release(action)
            else:
                self._carry_out(action)
        return answer

    def release(self, model: str, worker_id: str, holder: str) -> None:
        self.post(ReleaseRequested(model, worker_id, holder))

    async def _reserve_or_release(self, command: ReserveReplica) -> None:
        try:
            await self._link(command.worker_id).reserve(command)
        except (grpc.RpcError, NoLink):
            self.release(command.model, command.worker_id, command.holder)
            raise

    async def _tick(self) -> None:
        while True:
            self.post(Tick())
            await asyncio.sleep(TICK_S)

    def _from_cluster(self, event: ClusterEvent) -> None:
        match event:
            case WorkerServing():
                self._connect(event)
            case ProcessEnded():
                self._disconnect(event.worker_id)
                self._log.warning("worker ended", worker=event.worker_id, attempt=event.attempt, reason=event.reason)
        self._hear(event)

    def _connect(self, event: WorkerServing) -> None:
        known = self._links.get(event.worker_id)
        if known is not None and (known.attempt, known.address) == (event.attempt, event.address):
            return
        self._disconnect(event.worker_id)
        self._links[event.worker_id] = WorkerLink(
            event.worker_id, event.attempt, event.address, self._watcher_id, self._hear
        )

    def _hear(self, event: ClusterEvent | SnapshotArrived) -> None:
        """Where no decision can be made on it, the provisioner ends, and not the watch over the process that told."""
        try:
            self.post(event)
        except Exception as error:
            self._background.fail(error)

    def _disconnect(self, worker_id: str) -> None:
        link = self._links.pop(worker_id, None)
        if link is not None:
            self._own(link.close())

    def post(self, event: ProvisionerEvent) -> None:
        try:
            actions = self._core.handle(event, clock.now())
        except Exception:
            if not self._stopping:
                raise
            self._log.exception("no decision while stopping", event_kind=type(event).__name__)
            return
        for action in actions:
            self._carry_out(action)

    def _carry_out(self, action: ProvisionerAction) -> None:
        match action:
            case StartWorker():
                self._log.info("worker starts", worker=action.worker_id, attempt=action.attempt)
                self._backend.start(action.worker_id, action.attempt)
            case StopWorker():
                self._backend.stop(action.worker_id, action.at_once)
            case LoadModel():
                self._own(self._load(action), self._commands)
            case ReserveReplica():
                self._own(self._reserve(action), self._commands)
            case SleepReplica() | WakeReplica() | LoadReplica():
                self._own(self._step(action), self._commands)
            case PrefetchWeights():
                self._own(self._prefetch(action), self._commands)
            case PublishPlan():
                self._changed_at = time.time()
                self._publish(self.plan())

    async def _step(self, command: SleepReplica | WakeReplica | LoadReplica) -> None:
        error = ""
        try:
            link = self._link(command.worker_id)
            match command:
                case SleepReplica():
                    await link.sleep(command)
                case WakeReplica():
                    await link.wake(command)
                case LoadReplica():
                    await link.load(command)
        except (grpc.RpcError, NoLink) as failure:
            error = error_info(failure).message if isinstance(failure, grpc.RpcError) else str(failure)
            self._log.warning("worker command failed", command=repr(command), error=error)
        self.post(StepEnded(command.worker_id, error))

    async def _prefetch(self, command: PrefetchWeights) -> None:
        num_bytes, duration_s, error = 0, 0.0, ""
        try:
            num_bytes, duration_s = await self._link(command.worker_id).prefetch(command)
        except (grpc.RpcError, NoLink) as failure:
            error = error_info(failure).message if isinstance(failure, grpc.RpcError) else str(failure)
        self.post(PrefetchEnded(command.worker_id, command.model, num_bytes, duration_s, error))

    async def _load(self, command: LoadModel) -> None:
        with self._logged(command):
            await self._link(command.worker_id).load(command)

    async def _reserve(self, command: ReserveReplica) -> None:
        with self._logged(command):
            await self._link(command.worker_id).reserve(command)

    @contextlib.contextmanager
    def _logged(self, command: LoadModel | ReserveReplica) -> Iterator[None]:
        try:
            yield
        except (grpc.RpcError, NoLink) as error:
            message = error_info(error).message if isinstance(error, grpc.RpcError) else str(error)
            self._log.warning("worker command failed", command=repr(command), error=message)

    def _link(self, worker_id: str) -> WorkerLink:
        link = self._links.get(worker_id)
        if link is None:
            raise NoLink(f"{worker_id}: not connected")
        return link

    def _own(self, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]] | None = None) -> None:
        """Commands to workers are cancelled with this provisioner; other tasks end by themselves."""
        owned = self._tasks if tasks is None else tasks
        task = asyncio.create_task(work)
        owned.add(task)
        task.add_done_callback(owned.discard)
