"""A prefetch of the plan, from the provisioner to a worker process and back."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from redis.asyncio import Redis
from worker_config import config
from worker_process import snapshot_where, until_awake, worker_process

from catenary.core.provisioner import ProvisionerCore, ProvisionerSettings
from catenary.core.provisioner.allocator import Allocator
from catenary.core.provisioner.events import WorkerServing
from catenary.core.provisioner.outlook import Outlook
from catenary.model.plan import WantedWorker
from catenary.policy.provisioning.context import PlanContext, PlanSettings
from catenary.policy.provisioning.decision import Move, MoveKind, PlanDecision
from catenary.runtime import clock
from catenary.runtime.background import Background
from catenary.runtime.rpc import channel
from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub
from catenary_provisioner.cluster.port import ClusterBackend, Notify, RunningWorker
from catenary_provisioner.shell import Provisioner


class OneWorker:
    """A cluster of one worker that somebody else started."""

    def __init__(self, address: str, notify: Notify) -> None:
        self._address = address
        self._notify = notify

    async def open(self) -> None:
        self._notify(WorkerServing("own", 0, self._address))

    def start(self, worker_id: str, attempt: int) -> None: ...

    def stop(self, worker_id: str, at_once: bool) -> None: ...

    def list(self) -> list[RunningWorker]:
        return [RunningWorker("own", 0, 0)]

    async def close(self) -> None: ...


def reads_what_is_cold(context: PlanContext) -> PlanDecision:
    moves = [
        Move(MoveKind.PREFETCH, a.worker_id, "", model, reason="it is cold")
        for a in context.accelerators
        for model in sorted(a.cold - a.fetched)
    ]
    return PlanDecision(tuple(moves))


def provisioner(address: str) -> tuple[Provisioner, ProvisionerCore]:
    settings = ProvisionerSettings(external=True, policy="risk", plan_interval_s=0.1)
    allocator = Allocator(reads_what_is_cold, PlanSettings(), Outlook({}, {}))
    core = ProvisionerCore([WantedWorker("own", ("m",))], settings, clock.now(), allocator)

    def backend(notify: Notify) -> ClusterBackend:
        return OneWorker(address, notify)

    return Provisioner(core, backend, "p", lambda _: None, Background()), core


async def until_said(core: ProvisionerCore, words: str) -> None:
    """Among the plan's reasons."""
    for _ in range(500):
        if any(words in reason for reason in core.plan(clock.now()).reasons):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{words!r} is not among {core.plan(clock.now()).reasons}")


async def test_cold_weights_are_read_by_the_worker_and_a_read_does_not_hold_up_the_end_of_the_provisioner(
    store_url: str, redis: Redis, tmp_path: Path
) -> None:
    settings = config(tmp_path, store_url, "own")
    profile = {"model": "m", "origin": "emulated", "engine": "emulated", "reload_s": 0.1, "prefetch_s": 2.0}
    (tmp_path / "m.json").write_text(json.dumps(profile))
    with worker_process(settings, tmp_path) as worker:
        await until_awake(worker.address, "m")
        first, core = provisioner(worker.address)
        second, told = provisioner(worker.address)
        async with channel(worker.address) as connection:
            stub = WorkerServiceStub(connection)
            await first.start()
            await stub.SleepModel(pb.SleepModelRequest(model="m", level=2))
            await until_said(core, "own prefetches m: it is cold")
            await second.start()
            await until_said(told, "own: m not prefetched")
            await snapshot_where(stub, lambda snapshot: not any(r.weights_cold for r in snapshot.replicas))
            await until_said(core, "own: weights of m read")
            await asyncio.gather(first.stop(), second.stop())
            await stub.WakeModel(pb.WakeModelRequest(model="m"))
            await stub.SleepModel(pb.SleepModelRequest(model="m", level=2))
            third, late = provisioner(worker.address)
            await third.start()
            await until_said(late, "own prefetches m")
            async with asyncio.timeout(1.0):
                await third.stop()
