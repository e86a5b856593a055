"""How much an engine is slowed by others that are busy on its accelerator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from statistics import mean, median

import grpc
import structlog

from catenary.core.profile_grid import EngineBounds
from catenary.model.profile_point import GridPoint, PointKind
from catenary.runtime.rpc import error_info
from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.provisioner_service_pb2_grpc import ProvisionerServiceStub
from catenary.v1.worker_service_pb2_grpc import WorkerServiceStub
from catenary_profiler.driver import EngineDriver
from catenary_profiler.failure import ProfileFailed
from catenary_profiler.replica import ReplicaWatch, ReservedReplica, reserved_replica
from catenary_profiler.sleeping import SLEEP_TIMEOUT_S

MAX_NEIGHBOURS = 3
ROUNDS = 3
OUTPUT_TOKENS = 48
PATIENCE_S = 3.0
"""The provisioner hears of a wake a moment after the worker has said that it is over."""
LEAST_LOSS = 0.001
"""A loss of 0 would read as not measured."""


class SharingMeasurement:
    """Rounds of a batch that decodes alone, then beside a batch of another engine that is awake on the accelerator.

    ``timeout_s`` bounds each wait for the neighbour. The neighbour is set aside meanwhile, and goes back to sleep
    where it slept.
    """

    def __init__(
        self, provisioner: ProvisionerServiceStub, replica: ReservedReplica, holder: str, timeout_s: float
    ) -> None:
        self._provisioner = provisioner
        self._replica = replica
        self._holder = holder
        self._timeout_s = timeout_s
        self._worker = WorkerServiceStub(replica.channel)

    async def loss(self, driver: EngineDriver, bounds: EngineBounds, snapshot: pb.WorkerSnapshot) -> float:
        """The mean, over neighbours, of the share of its step by which the engine is slower; 0.0: there is none that
        can be awake beside it now. A neighbour with which it fails is left out, and logged."""
        losses = []
        for neighbour in neighbours(snapshot, self._replica.model):
            try:
                async with self._beside(neighbour) as found:
                    losses.append(await self._beside_loss(driver, bounds, found))
            except (grpc.RpcError, ProfileFailed) as error:
                reason = error_info(error).message if isinstance(error, grpc.RpcError) else str(error)
                structlog.get_logger().warning("sharing not measured", beside=neighbour.model, error=reason)
        return max(LEAST_LOSS, mean(losses)) if losses else 0.0

    @asynccontextmanager
    async def _beside(self, neighbour: pb.ReplicaSnapshot) -> AsyncIterator[tuple[ReservedReplica, pb.ReplicaSnapshot]]:
        """The neighbour awake, set aside and idle. Raises grpc.RpcError or ProfileFailed where it cannot be."""
        name = neighbour.model
        sleeps = neighbour.state == pb.REPLICA_STATE_ASLEEP
        if sleeps:
            await self._worker.WakeModel(pb.WakeModelRequest(model=name), timeout=SLEEP_TIMEOUT_S)
        try:
            async with (
                reserved_replica(
                    self._provisioner, name, self._holder, self._timeout_s, self._replica.worker_id, PATIENCE_S
                ) as replica,
                ReplicaWatch(replica, self._holder) as watch,
            ):
                yield replica, await watch.idle(self._timeout_s)
        finally:
            if sleeps:
                level = neighbour.sleep_level
                await self._worker.SleepModel(pb.SleepModelRequest(model=name, level=level), timeout=SLEEP_TIMEOUT_S)

    async def _beside_loss(
        self, driver: EngineDriver, bounds: EngineBounds, found: tuple[ReservedReplica, pb.ReplicaSnapshot]
    ) -> float:
        replica, snapshot = found
        other = EngineBounds(
            snapshot.max_model_len or bounds.max_model_len, snapshot.max_num_seqs, snapshot.kv_capacity_tokens
        )
        point, load = _point(bounds), other.hosts
        alone, beside = [], []
        async with EngineDriver(replica.channel, replica.model, self._holder, self._timeout_s) as neighbour:
            for _ in range(ROUNDS):
                alone.append((await driver.measure(point)).seconds)
                async with neighbour.failing(load):
                    await neighbour.send(load)
                    while not (await neighbour.next(load)).deltas:
                        pass
                    beside.append((await driver.measure(point)).seconds)
                    await neighbour.abort()
        return median(beside) / median(alone) - 1.0


def neighbours(worker: pb.WorkerSnapshot, model: str) -> Sequence[pb.ReplicaSnapshot]:
    """Other engines of the worker that sleep with their weights at hand, or are awake and hold no call."""
    found = [
        replica
        for replica in worker.replicas
        if replica.model != model
        and not replica.reserved
        and (
            replica.state == pb.REPLICA_STATE_ASLEEP or (replica.state == pb.REPLICA_STATE_AWAKE and not replica.calls)
        )
    ]
    return sorted(found, key=lambda replica: (replica.sleep_level, replica.model))[:MAX_NEIGHBOURS]


def _point(bounds: EngineBounds) -> GridPoint:
    """The batch that joining prompts are measured in, for a moment; one call where the engine has one seat."""
    hosts = bounds.hosts
    output = max(1, min(OUTPUT_TOKENS, hosts.output_tokens))
    return replace(hosts, kind=PointKind.DECODE, output_tokens=output, batch=max(1, hosts.batch))
