"""How long a replica that is set aside takes to sleep and to wake."""

from __future__ import annotations

from dataclasses import dataclass

import grpc
import structlog

from catenary.runtime import clock
from catenary.runtime.rpc import error_info
from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub
from catenary_profiler.failure import ProfileFailed
from catenary_profiler.replica import ReservedReplica

SLEEP_TIMEOUT_S = 120.0
_GENERATION_OF_A_FRESH_ENGINE = 2  # LOADING, then AWAKE


@dataclass(frozen=True, slots=True)
class SleepTimes:
    """Seconds at level 1; ``first_s`` is 0 where the engine had slept before. All zero: it cannot sleep."""

    first_s: float = 0.0
    again_s: float = 0.0
    wake_s: float = 0.0


async def measure_sleep(replica: ReservedReplica, generation: int) -> SleepTimes:
    """Two rounds of sleep and wake, the first of which pins host memory.

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
    except grpc.RpcError as error:
        raise _failed(model, error) from error
    return SleepTimes(first_s if generation <= _GENERATION_OF_A_FRESH_ENGINE else 0.0, again_s, wake_s)


async def _sleep_s(stub: WorkerServiceStub, model: str) -> float:
    began = clock.now()
    await stub.SleepModel(pb.SleepModelRequest(model=model, level=1), timeout=SLEEP_TIMEOUT_S)
    return clock.now() - began


async def _wake_s(stub: WorkerServiceStub, model: str) -> float:
    began = clock.now()
    await stub.WakeModel(pb.WakeModelRequest(model=model), timeout=SLEEP_TIMEOUT_S)
    return clock.now() - began


def _failed(model: str, error: grpc.RpcError) -> ProfileFailed:
    info = error_info(error)
    return ProfileFailed(info.code, f"{model}: sleep and wake: {info.message}", info.reason)
