"""The provisioner's connection to one worker: snapshots in, commands out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import grpc
import structlog

from catenary.core.provisioner.events import (
    LoadModel,
    LoadReplica,
    PrefetchWeights,
    ReserveReplica,
    SleepReplica,
    SnapshotArrived,
    WakeReplica,
)
from catenary.runtime.rpc import channel, error_info
from catenary.runtime.tasks import cancel
from catenary.runtime.wire.worker import worker_from_proto
from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub

_RETRY_S = 0.2
_COMMAND_TIMEOUT_S = 10.0
_STEP_TIMEOUT_S = 110.0
_PREFETCH_TIMEOUT_S = 1800.0


class WorkerLink:
    """Watches one start of a worker at one address until it is closed."""

    def __init__(
        self,
        worker_id: str,
        attempt: int,
        address: str,
        watcher_id: str,
        on_snapshot: Callable[[SnapshotArrived], None],
    ) -> None:
        self.address = address
        self.attempt = attempt
        self._worker_id = worker_id
        self._log = structlog.get_logger().bind(worker=worker_id)
        self._watcher_id = watcher_id
        self._on_snapshot = on_snapshot
        self._channel = channel(address)
        self._stub = WorkerServiceStub(self._channel)
        self._task = asyncio.create_task(self._watch(), name=f"snapshots of {worker_id}")

    async def load(self, command: LoadModel | LoadReplica) -> None:
        """Raises grpc.RpcError."""
        request = pb.LoadModelRequest(model=command.model, expected_generation=command.generation)
        await self._stub.LoadModel(request, timeout=_COMMAND_TIMEOUT_S)

    async def reserve(self, command: ReserveReplica) -> None:
        """Raises grpc.RpcError."""
        request = pb.ReserveReplicaRequest(model=command.model, reserved=command.reserved, holder=command.holder)
        await self._stub.ReserveReplica(request, timeout=_COMMAND_TIMEOUT_S)

    async def sleep(self, command: SleepReplica) -> None:
        """Returns when it sleeps, which with a drain takes as long as its calls. Raises grpc.RpcError."""
        request = pb.SleepModelRequest(
            model=command.model,
            expected_generation=command.generation,
            mode=f"SLEEP_MODE_{command.mode}",
        )
        await self._stub.SleepModel(request, timeout=_STEP_TIMEOUT_S)

    async def wake(self, command: WakeReplica) -> None:
        """Raises grpc.RpcError."""
        request = pb.WakeModelRequest(model=command.model, expected_generation=command.generation)
        await self._stub.WakeModel(request, timeout=_STEP_TIMEOUT_S)

    async def prefetch(self, command: PrefetchWeights) -> tuple[int, float]:
        """Bytes of the weights and the seconds it took until they were there. Raises grpc.RpcError."""
        request = pb.PrefetchModelRequest(model=command.model)
        answer = await self._stub.PrefetchModel(request, timeout=_PREFETCH_TIMEOUT_S)
        return answer.bytes, answer.duration_s

    async def close(self) -> None:
        await cancel(self._task)
        await self._channel.close()

    async def _watch(self) -> None:
        while True:
            stream = self._stub.WatchSnapshots(pb.WatchSnapshotsRequest(watcher_id=self._watcher_id))
            try:
                async for response in stream:
                    self._take(response.snapshot)
            except grpc.RpcError as error:
                self._log.debug("snapshots interrupted", error=error_info(error).message)
            except Exception as error:  # what cannot be taken costs this worker, not the others
                self._log.error("snapshot not taken", exc_info=error)
            finally:
                stream.cancel()
            await asyncio.sleep(_RETRY_S)

    def _take(self, snapshot: pb.WorkerSnapshot) -> None:
        if snapshot.worker_id == self._worker_id:
            self._on_snapshot(SnapshotArrived(self.attempt, worker_from_proto(snapshot)))
