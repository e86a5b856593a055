"""The running cluster as the scripts see it: readiness, and commands to the worker."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import grpc

from catenary.runtime.config import Config, load_config
from catenary.runtime.readiness import missing
from catenary.runtime.rpc import channel
from catenary.v1 import provisioner_service_pb2, worker_service_pb2
from catenary.v1.provisioner_service_pb2_grpc import ProvisionerServiceStub
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub

POLL_S = 0.5


async def wait_ready(config_path: Path, timeout_s: float) -> provisioner_service_pb2.Plan:
    """Waits until every replica is awake; raises RuntimeError with what lacks, at once where an engine is dead."""
    config = load_config(config_path)
    give_up_at = time.monotonic() + timeout_s
    lacks = ["the provisioner does not answer"]
    async with channel(config.provisioner.address) as connection:
        stub = ProvisionerServiceStub(connection)
        while time.monotonic() < give_up_at:
            try:
                answer = await stub.GetPlan(provisioner_service_pb2.GetPlanRequest(), timeout=5)
            except grpc.RpcError:
                await asyncio.sleep(POLL_S)
                continue
            lacks = list(missing(answer.plan, config.workers))
            if not lacks:
                return answer.plan
            dead = [
                f"{replica.model}: {replica.error}"
                for worker in answer.plan.workers
                for replica in worker.snapshot.replicas
                if replica.state == worker_service_pb2.REPLICA_STATE_DEAD and replica.error
            ]
            if dead:
                raise RuntimeError("\n".join(dead))
            await asyncio.sleep(POLL_S)
    raise RuntimeError("\n".join(lacks))


class WorkerCommands:
    """Sleep and wake of one worker's models, each timed in seconds from the decision to the answer."""

    def __init__(self, stub: WorkerServiceStub) -> None:
        self._stub = stub

    async def sleep(self, model: str, level: int = 1, mode: str = "FREEZE") -> float:
        began = time.monotonic()
        request = worker_service_pb2.SleepModelRequest(model=model, level=level, mode=f"SLEEP_MODE_{mode}")
        await self._stub.SleepModel(request)
        return time.monotonic() - began

    async def wake(self, model: str) -> float:
        began = time.monotonic()
        await self._stub.WakeModel(worker_service_pb2.WakeModelRequest(model=model))
        return time.monotonic() - began

    async def wake_surely(self, model: str, timeout_s: float = 30.0) -> None:
        """Wake a model that may be on its way to sleep."""
        give_up_at = time.monotonic() + timeout_s
        while True:
            try:
                await self.wake(model)
                return
            except grpc.RpcError:
                if time.monotonic() > give_up_at:
                    raise
                await asyncio.sleep(0.1)

    async def start(self, model: str, timeout_s: float = 240.0) -> float:
        """Load a model and wait until it is awake."""
        began = time.monotonic()
        await self._stub.LoadModel(worker_service_pb2.LoadModelRequest(model=model))
        await self._reach(model, worker_service_pb2.REPLICA_STATE_AWAKE, timeout_s)
        return time.monotonic() - began

    async def unload(self, model: str, timeout_s: float = 60.0) -> float:
        """End a model's engine when its calls have ended, and wait until its memory is free."""
        began = time.monotonic()
        await self._stub.UnloadModel(worker_service_pb2.UnloadModelRequest(model=model))
        await self._reach(model, worker_service_pb2.REPLICA_STATE_DEAD, timeout_s)
        return time.monotonic() - began

    async def _reach(self, model: str, state: int, timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            while True:
                snapshot = await self.snapshot()
                found = next(replica for replica in snapshot.replicas if replica.model == model)
                if found.state == state:
                    return
                if found.state == worker_service_pb2.REPLICA_STATE_DEAD and found.error:
                    raise RuntimeError(f"{model}: {found.error}")
                await asyncio.sleep(0.05)

    async def states(self) -> dict[str, int]:
        """State of each replica, by model."""
        return {replica.model: replica.state for replica in (await self.snapshot()).replicas}

    async def snapshot(self) -> worker_service_pb2.WorkerSnapshot:
        call = self._stub.WatchSnapshots(worker_service_pb2.WatchSnapshotsRequest(watcher_id="loadtest"))
        try:
            async for response in call:
                return response.snapshot
        finally:
            call.cancel()
        raise RuntimeError("the worker sends no snapshot")


def worker_address(plan: provisioner_service_pb2.Plan, config: Config, model: str = "") -> str:
    """Of the first worker that the configuration gives ``model``; of the first one where none is named."""
    name = next(worker.id for worker in config.workers if not model or model in worker.models)
    return str(next(worker.snapshot.address for worker in plan.workers if worker.worker_id == name))
