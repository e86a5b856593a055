"""What is put back after the measurement of a model that slept."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest

from catenary.v1 import worker_service_pb2 as pb
from catenary_profiler import waking


class SlowWorker:
    """Takes a moment for each command, and forgets none that is cancelled."""

    def __init__(self, *_: object) -> None:
        self.done: list[str] = []
        self.begun: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def SleepModel(self, request: pb.SleepModelRequest, **_: float) -> None:
        await self._take(f"sleep {request.model}")

    async def WakeModel(self, request: pb.WakeModelRequest, **_: float) -> None:
        await self._take(f"wake {request.model}")

    async def _take(self, step: str) -> None:
        self.begun[step].set()
        await asyncio.sleep(0.02)
        self.done.append(step)


def parts() -> tuple[Any, Any]:
    asleep = pb.ReplicaSnapshot(model="right", state=pb.REPLICA_STATE_ASLEEP, sleep_level=1)
    beside = pb.ReplicaSnapshot(model="left", state=pb.REPLICA_STATE_AWAKE)

    async def found(_: float) -> pb.ReplicaSnapshot:
        return asleep

    worker = SimpleNamespace(replicas=[asleep, beside])
    watch = SimpleNamespace(reserved=found, idle=found, worker=worker, peak_bytes=1)
    return SimpleNamespace(channel=None, model="right", worker_id="w0"), watch


@pytest.mark.parametrize("step", ["sleep left", "wake right"])
async def test_a_step_that_is_cancelled_ends_before_all_is_put_back(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = SlowWorker()
    monkeypatch.setattr(waking, "WorkerServiceStub", lambda _: worker)

    async def measured() -> None:
        async with waking.awake(*parts(), 1.0):
            await asyncio.sleep(60)

    measurement = asyncio.create_task(measured())
    await worker.begun[step].wait()
    measurement.cancel()
    with pytest.raises(asyncio.CancelledError):
        await measurement
    assert worker.done[-3:] == [step, "sleep right", "wake left"]
