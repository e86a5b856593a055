"""Memory of a worker's processes, where they run on this machine."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

import grpc
import psutil

from catenary.runtime.tasks import cancel
from catenary.v1 import provisioner_service_pb2 as pb
from catenary.v1.provisioner_service_pb2_grpc import ProvisionerServiceStub

INTERVAL_S = 1.0
PLAN_TIMEOUT_S = 2.0
WORKER_MODULE = "catenary_worker"


class ProcessMemory:
    """The most memory that the processes of one worker held together, sampled while entered.

    Shared pages count in proportion. 0 where the worker was started elsewhere or by something else.
    """

    def __init__(self, provisioner: ProvisionerServiceStub, worker_id: str) -> None:
        self._provisioner = provisioner
        self._worker_id = worker_id
        self._task: asyncio.Task[None] | None = None
        self.peak_bytes = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow(), name="memory of the worker")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            await cancel(self._task)

    async def _follow(self) -> None:
        pid = await self._pid()
        while pid:
            self.peak_bytes = max(self.peak_bytes, await asyncio.to_thread(tree_bytes, pid))
            await asyncio.sleep(INTERVAL_S)

    async def _pid(self) -> int:
        try:
            plan = (await self._provisioner.GetPlan(pb.GetPlanRequest(), timeout=PLAN_TIMEOUT_S)).plan
        except grpc.RpcError:
            return 0
        return next((worker.pid for worker in plan.workers if worker.worker_id == self._worker_id), 0)


def tree_bytes(pid: int) -> int:
    """Bytes held by a worker process and its descendants; 0 where ``pid`` is no worker on this machine."""
    try:
        root = psutil.Process(pid)
        if WORKER_MODULE not in " ".join(root.cmdline()):
            return 0
        return sum(_bytes(process) for process in (root, *root.children(recursive=True)))
    except psutil.Error:
        return 0


def _bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0
