"""A replica set aside: taken from its pool through the provisioner and always given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import grpc
import structlog

from catenary.runtime import clock
from catenary.runtime.rpc import channel, error_info
from catenary.runtime.tasks import cancel
from catenary.v1 import provisioner_service_pb2 as provisioner_pb
from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.provisioner_service_pb2_grpc import ProvisionerServiceStub
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub
from catenary_profiler.failure import ProfileFailed

RELEASE_ATTEMPTS = 5
RELEASE_TIMEOUT_S = 2.0
RELEASE_PAUSE_S = 0.2
ACQUIRE_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class ReservedReplica:
    """Where the replica is."""

    model: str
    worker_id: str
    channel: grpc.aio.Channel


@asynccontextmanager
async def reserved_replica(
    provisioner: ProvisionerServiceStub,
    model: str,
    holder: str,
    timeout_s: float,
    worker_id: str = "",
    patience_s: float = 0.0,
    may_sleep: bool = False,
) -> AsyncIterator[ReservedReplica]:
    """Hold a replica of ``model`` for the body; it goes back to its pool however the body ends. ``worker_id``: only the
    one there; ``patience_s``: for how long a provisioner that has none is asked again; ``may_sleep``: where none is
    awake, also one that sleeps.

    Raises:
        ProfileFailed: the provisioner has none to give, or gave no answer within ``timeout_s``.
    """
    request = provisioner_pb.AcquireReplicaRequest(model=model, holder=holder, worker_id=worker_id, may_sleep=may_sleep)
    grant = await _granted(provisioner, request, timeout_s, clock.now() + patience_s)
    extending = asyncio.create_task(_extend(provisioner, request, grant.lease_s / 3))
    try:
        async with channel(grant.worker_address) as worker:
            yield ReservedReplica(model, grant.worker_id, worker)
    finally:
        await cancel(extending)
        release = provisioner_pb.ReleaseReplicaRequest(model=model, worker_id=grant.worker_id, holder=holder)
        await _release(provisioner, release)


async def _granted(
    provisioner: ProvisionerServiceStub, request: provisioner_pb.AcquireReplicaRequest, timeout_s: float, until_s: float
) -> provisioner_pb.AcquireReplicaResponse:
    while True:
        try:
            grant: provisioner_pb.AcquireReplicaResponse = await provisioner.AcquireReplica(request, timeout=timeout_s)
            return grant
        except grpc.RpcError as error:
            info = error_info(error)
            if clock.now() >= until_s:
                message = f"{request.model}: no replica to measure: {info.message}"
                raise ProfileFailed(info.code, message, info.reason) from error
        await asyncio.sleep(ACQUIRE_PAUSE_S)


async def _extend(
    provisioner: ProvisionerServiceStub, request: provisioner_pb.AcquireReplicaRequest, interval_s: float
) -> None:
    """The provisioner takes back what nobody asks for again."""
    while interval_s > 0:
        await asyncio.sleep(interval_s)
        try:
            await provisioner.AcquireReplica(request, timeout=interval_s)
        except grpc.RpcError as error:
            structlog.get_logger().warning("lease of the replica not extended", error=error_info(error).message)


async def _release(provisioner: ProvisionerServiceStub, request: provisioner_pb.ReleaseReplicaRequest) -> None:
    for attempt in range(1, RELEASE_ATTEMPTS + 1):
        try:
            await provisioner.ReleaseReplica(request, timeout=RELEASE_TIMEOUT_S)
            return
        except grpc.RpcError as error:
            info = error_info(error)
            structlog.get_logger().warning(
                "replica not given back", worker=request.worker_id, attempt=attempt, error=info.message
            )
            await asyncio.sleep(RELEASE_PAUSE_S * attempt)


class ReplicaWatch:
    """The newest snapshot of a reserved replica, and the most memory seen in use on its accelerator, while entered."""

    def __init__(self, replica: ReservedReplica, watcher_id: str) -> None:
        self._replica = replica
        self._watcher_id = watcher_id
        self._changed = asyncio.Event()
        self._gone = False
        self._task: asyncio.Task[None] | None = None
        self.worker = pb.WorkerSnapshot()
        self.peak_bytes = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            await cancel(self._task)

    @property
    def snapshot(self) -> pb.ReplicaSnapshot | None:
        return next((r for r in self.worker.replicas if r.model == self._replica.model), None)

    async def _follow(self) -> None:
        stub = WorkerServiceStub(self._replica.channel)
        try:
            async for response in stub.WatchSnapshots(pb.WatchSnapshotsRequest(watcher_id=self._watcher_id)):
                self.worker = response.snapshot
                used = self.worker.memory_total_bytes - self.worker.memory_free_bytes
                self.peak_bytes = max(self.peak_bytes, used)
                self._changed.set()
        except grpc.RpcError as error:
            structlog.get_logger().warning("worker not followed", error=error_info(error).message)
        finally:
            self._gone = True
            self._changed.set()

    async def reserved(self, timeout_s: float) -> pb.ReplicaSnapshot:
        """The snapshot once the replica is set aside. Raises ProfileFailed as ``idle`` does."""
        return await self._once(lambda replica: replica.reserved, "set aside", timeout_s)

    async def idle(self, timeout_s: float) -> pb.ReplicaSnapshot:
        """The snapshot once the replica is awake, set aside and holds no call.

        Raises:
            ProfileFailed: it is dead, its worker went away, or it is not idle within ``timeout_s``.
        """
        return await self._once(_is_idle, "idle", timeout_s)

    async def _once(
        self, holds: Callable[[pb.ReplicaSnapshot], bool], what: str, timeout_s: float
    ) -> pb.ReplicaSnapshot:
        name = f"{self._replica.model}: the replica on {self._replica.worker_id}"
        try:
            async with asyncio.timeout(timeout_s):
                while (found := self.snapshot) is None or not holds(found):
                    if self._gone:
                        raise ProfileFailed(grpc.StatusCode.UNAVAILABLE, f"{name} went away", "WORKER")
                    if found is not None and found.state == pb.REPLICA_STATE_DEAD:
                        raise ProfileFailed(grpc.StatusCode.UNAVAILABLE, f"{name} is dead: {found.error}", "WORKER")
                    self._changed.clear()
                    await self._changed.wait()
                return found
        except TimeoutError:
            raise ProfileFailed(
                grpc.StatusCode.DEADLINE_EXCEEDED, f"{name} was not {what} within {timeout_s:g} s", "BUSY"
            ) from None


def _is_idle(replica: pb.ReplicaSnapshot) -> bool:
    return replica.state == pb.REPLICA_STATE_AWAKE and replica.reserved and not replica.calls
