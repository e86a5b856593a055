"""How long a replica that is set aside takes to sleep and to wake."""

from __future__ import annotations

from dataclasses import dataclass

import grpc
import structlog

from catenary.model.worker import DROPPED, IN_HOST
from catenary.runtime import clock
from catenary.runtime.rpc import error_info
from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub
from catenary_profiler.failure import ProfileFailed
from catenary_profiler.replica import ReservedReplica

SLEEP_TIMEOUT_S = 120.0
PREFETCH_TIMEOUT_S = 1800.0
_GENERATION_OF_A_FRESH_ENGINE = 2  # LOADING, then AWAKE


@dataclass(frozen=True, slots=True)
class SleepTimes:
    """Seconds at level 1; ``first_s`` is 0 where the engine had slept before. ``reload_s``: a wake after level 2 with
    the weights in the page cache; ``prefetch_s``: reading them from disk into it; both 0 where no file has weights to
    read, as with dummy ones. All zero: it cannot sleep."""

    first_s: float = 0.0
    again_s: float = 0.0
    wake_s: float = 0.0
    reload_s: float = 0.0
    prefetch_s: float = 0.0


async def measure_sleep(replica: ReservedReplica, generation: int) -> SleepTimes:
    """Two rounds of sleep and wake, the first of which pins host memory, and one in which the weights are dropped.

    Raises:
        ProfileFailed: it slept once, and does not wake or does not sleep again.
    """
    stub = WorkerServiceStub(replica.channel)
    model = replica.model
    try:
        first_s = await _sleep_s(stub, model)
    except grpc.RpcError as error:
        info = error_info(error)
        if info.code is not grpc.StatusCode.FAILED_PRECONDITION:
            raise _failed(model, error) from error
        structlog.get_logger().warning("sleep not measured", model=model, error=info.message)
        return SleepTimes()
    try:
        await _wake_s(stub, model)
        again_s, wake_s = await _sleep_s(stub, model), await _wake_s(stub, model)
        await _sleep_s(stub, model, DROPPED)
        prefetch_s = await _prefetch_s(stub, model)
        woken_s = await _wake_s(stub, model)
    except grpc.RpcError as error:
        raise _failed(model, error) from error
    first_s = first_s if generation <= _GENERATION_OF_A_FRESH_ENGINE else 0.0
    return SleepTimes(first_s, again_s, wake_s, woken_s if prefetch_s else 0.0, prefetch_s)


async def _sleep_s(stub: WorkerServiceStub, model: str, level: int = IN_HOST) -> float:
    began = clock.now()
    await stub.SleepModel(pb.SleepModelRequest(model=model, level=level), timeout=SLEEP_TIMEOUT_S)
    return clock.now() - began


async def _prefetch_s(stub: WorkerServiceStub, model: str) -> float:
    """From a page cache without the weights; 0.0 where there are none to read."""
    answer = await stub.PrefetchModel(pb.PrefetchModelRequest(model=model, cold=True), timeout=PREFETCH_TIMEOUT_S)
    return float(answer.duration_s) if answer.bytes else 0.0


async def _wake_s(stub: WorkerServiceStub, model: str) -> float:
    began = clock.now()
    await stub.WakeModel(pb.WakeModelRequest(model=model), timeout=SLEEP_TIMEOUT_S)
    return clock.now() - began


def _failed(model: str, error: grpc.RpcError) -> ProfileFailed:
    info = error_info(error)
    return ProfileFailed(info.code, f"{model}: sleep and wake: {info.message}", info.reason)
