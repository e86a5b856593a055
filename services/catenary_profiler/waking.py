"""A replica that sleeps, awake for as long as it is measured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import grpc
import structlog

from catenary.runtime.rpc import error_info
from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub
from catenary_profiler.failure import ProfileFailed
from catenary_profiler.replica import ReplicaWatch, ReservedReplica
from catenary_profiler.sleeping import SLEEP_TIMEOUT_S


@asynccontextmanager
async def awake(replica: ReservedReplica, watch: ReplicaWatch, timeout_s: float) -> AsyncIterator[pb.ReplicaSnapshot]:
    """The replica, which is set aside, awake and idle for the body.

    Where it sleeps it is woken in place of the engines that are awake on its worker: these finish their calls and sleep
    meanwhile. Afterwards all are as before, however the body ends.

    Raises:
        ProfileFailed: it is not idle within ``timeout_s``, cannot be woken, or an engine beside it cannot sleep.
    """
    found = await watch.reserved(timeout_s)
    if found.state != pb.REPLICA_STATE_ASLEEP:
        yield await watch.idle(timeout_s)
        return
    worker, model = WorkerServiceStub(replica.channel), replica.model
    slept: list[str] = []
    try:
        try:
            for other in [r.model for r in watch.worker.replicas if r.state == pb.REPLICA_STATE_AWAKE]:
                slept.append(other)
                await _to_its_end(_sleep(worker, other))
            await _to_its_end(_wake(worker, model))
            watch.peak_bytes = 0  # what the others took does not count
        except grpc.RpcError as error:
            info = error_info(error)
            message = f"{model}: it sleeps on {replica.worker_id} and cannot be woken to be measured: {info.message}"
            raise ProfileFailed(info.code, message, info.reason) from error
        yield await watch.idle(timeout_s)
    finally:
        await _put_back(worker, model, found.sleep_level, slept)


async def _put_back(worker: WorkerServiceStub, model: str, level: int, slept: list[str]) -> None:
    """What fails is logged: the plan sees to it, where it moves models."""
    await _tried(_sleep(worker, model, level), model)
    for other in slept:
        await _tried(_wake(worker, other), model)


async def _tried(step: Coroutine[Any, Any, None], model: str) -> None:
    try:
        await step
    except grpc.RpcError as error:
        structlog.get_logger().warning("engines not as before", measured=model, error=error_info(error).message)


async def _to_its_end(step: Coroutine[Any, Any, None]) -> None:
    """A step that is cancelled goes on first: a worker puts nothing back that is half done."""
    task = asyncio.ensure_future(step)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


async def _sleep(worker: WorkerServiceStub, model: str, level: int = 0) -> None:
    await worker.SleepModel(pb.SleepModelRequest(model=model, level=level), timeout=SLEEP_TIMEOUT_S)


async def _wake(worker: WorkerServiceStub, model: str) -> None:
    await worker.WakeModel(pb.WakeModelRequest(model=model), timeout=SLEEP_TIMEOUT_S)
