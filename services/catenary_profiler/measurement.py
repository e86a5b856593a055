"""One measurement from the replica's reservation to the stored profile."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import grpc

from catenary.core.profile_grid import EngineBounds
from catenary.core.profile_session import ProfileSession
from catenary.core.profiler import ProfilerCore
from catenary.model.profile import EngineProfile
from catenary.model.profile_point import GridPoint, PointKind, ProfileRecord
from catenary.runtime import clock
from catenary.runtime.config import Config, EngineKind
from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.provisioner_service_pb2_grpc import ProvisionerServiceStub
from catenary_profiler.archive import ProfileArchive
from catenary_profiler.driver import EngineDriver, Sample
from catenary_profiler.failure import ProfileFailed
from catenary_profiler.joining import measure_joining
from catenary_profiler.memory import ProcessMemory
from catenary_profiler.replica import ReplicaWatch, ReservedReplica, reserved_replica
from catenary_profiler.sharing import SharingMeasurement
from catenary_profiler.sleeping import SleepTimes, measure_sleep
from catenary_profiler.waking import awake

WARM_UP_TOKENS = 4


@dataclass(frozen=True, slots=True)
class Progress:
    """Points measured, of how many, and what comes next."""

    done: int
    total: int
    step: str


class Measurement:
    """Measures models, one measurement of each at a time."""

    def __init__(
        self, config: Config, core: ProfilerCore, archive: ProfileArchive, provisioner: ProvisionerServiceStub
    ) -> None:
        self._config = config
        self._core = core
        self._archive = archive
        self._provisioner = provisioner

    async def run(self, model: str, quick: bool, report: Callable[[Progress], None]) -> ProfileRecord:
        """Raises ProfileFailed; the replica is given back in any case."""
        if not self._core.begin(model):
            raise ProfileFailed(
                grpc.StatusCode.ALREADY_EXISTS, f"{model}: is being measured; wait for that to end", "BUSY"
            )
        try:
            return await self._run(model, quick, report)
        finally:
            self._core.end(model)

    async def _run(self, model: str, quick: bool, report: Callable[[Progress], None]) -> ProfileRecord:
        holder = f"profiler-{secrets.token_hex(4)}"
        report(Progress(0, 0, "waiting for a replica"))
        timeout_s = self._config.profiler.acquire_timeout_s
        async with (
            reserved_replica(self._provisioner, model, holder, timeout_s, may_sleep=True) as replica,
            ReplicaWatch(replica, holder) as watch,
            ProcessMemory(self._provisioner, replica.worker_id) as processes,
            awake(replica, watch, timeout_s) as snapshot,
        ):
            sleep = await self._sleep(replica, snapshot, report)
            session, transport_s, sharing_loss = await self._measure(replica, watch, snapshot, holder, quick, report)
        on_cpu = self._on_cpu(replica.worker_id)
        peak_bytes = processes.peak_bytes if on_cpu else snapshot.memory_bytes or watch.peak_bytes
        base = replace(
            self._base(replica, snapshot, watch.worker.accelerator, peak_bytes),
            first_sleep_s=sleep.first_s,
            sleep_s=sleep.again_s,
            wake_s=sleep.wake_s,
            reload_s=sleep.reload_s,
            prefetch_s=sleep.prefetch_s,
            sharing_loss=sharing_loss,
        )
        try:
            fitted = await asyncio.to_thread(self._core.complete, session, base, transport_s, clock.wall())
        except ValueError as error:
            raise ProfileFailed(grpc.StatusCode.FAILED_PRECONDITION, f"{model}: {error}", "BOUNDS") from error
        return await self._archive.keep(fitted)

    async def _sleep(
        self, replica: ReservedReplica, snapshot: pb.ReplicaSnapshot, report: Callable[[Progress], None]
    ) -> SleepTimes:
        """Before the grid, so that the lease is extended by a replica that is awake. vLLM on a CPU cannot sleep."""
        is_vllm = self._config.models[replica.model].engine is EngineKind.VLLM
        if is_vllm and self._on_cpu(replica.worker_id):
            return SleepTimes()
        report(Progress(0, 0, "sleeping and waking"))
        return await measure_sleep(replica, snapshot.generation)

    async def _measure(
        self,
        replica: ReservedReplica,
        watch: ReplicaWatch,
        snapshot: pb.ReplicaSnapshot,
        holder: str,
        quick: bool,
        report: Callable[[Progress], None],
    ) -> tuple[ProfileSession, float, float]:
        """The session with its samples, the median transport time of a call in seconds, and the loss by sharing."""
        bounds = self._bounds(snapshot)
        transports = []
        timeout_s = self._config.profiler.call_timeout_s
        async with EngineDriver(replica.channel, replica.model, holder, timeout_s) as driver:
            report(Progress(0, 0, "warming up"))
            for batch in {1, bounds.max_num_seqs}:
                await driver.measure(_warm_up(bounds, batch))
            session = _plan(bounds, quick, replica.model)
            while (point := session.next_point(clock.now())) is not None:
                report(Progress(session.taken, session.total, point.label))
                sample = await _sample(driver, point, bounds)
                session.record(point, sample.seconds, sample.steps)
                transports.append(sample.transport_s)
            report(Progress(session.total, session.total, "beside other engines"))
            sharing = SharingMeasurement(self._provisioner, replica, holder, timeout_s)
            loss = await sharing.loss(driver, bounds, watch.worker)
        report(Progress(session.total, session.total, "fitting"))
        return session, median(transports), loss

    def _bounds(self, snapshot: pb.ReplicaSnapshot) -> EngineBounds:
        settings = self._config.models[snapshot.model]
        return EngineBounds(
            snapshot.max_model_len or settings.max_model_len,
            snapshot.max_num_seqs or settings.max_num_seqs,
            snapshot.kv_capacity_tokens,
            settings.max_num_batched_tokens,
        )

    def _base(
        self, replica: ReservedReplica, snapshot: pb.ReplicaSnapshot, accelerator: str, peak_bytes: int
    ) -> EngineProfile:
        bounds = self._bounds(snapshot)
        return EngineProfile(
            model=replica.model,
            accelerator=accelerator,
            engine=snapshot.engine,
            max_num_seqs=bounds.max_num_seqs,
            max_model_len=bounds.max_model_len,
            kv_capacity_tokens=snapshot.kv_capacity_tokens,
            kv_bytes_per_token=self._kv_bytes_per_token(replica.worker_id, snapshot),
            weights_bytes=snapshot.weights_bytes,
            peak_bytes=peak_bytes,
            start_s=snapshot.start_s,
            settings_digest=self._core.digests[replica.model],
        )

    def _kv_bytes_per_token(self, worker_id: str, snapshot: pb.ReplicaSnapshot) -> int:
        """Known where the size of the KV cache is configured, which is on CPU workers; 0 elsewhere."""
        if not self._on_cpu(worker_id) or not snapshot.kv_capacity_tokens or not snapshot.weights_bytes:
            return 0
        cache_gib = next(worker.kv_cache_gib for worker in self._config.workers if worker.id == worker_id)
        return round(math.ceil(cache_gib) * 2**30 / snapshot.kv_capacity_tokens)

    def _on_cpu(self, worker_id: str) -> bool:
        return any(worker.id == worker_id and worker.device == "cpu" for worker in self._config.workers)


async def _sample(driver: EngineDriver, point: GridPoint, bounds: EngineBounds) -> Sample:
    if point.kind is PointKind.JOINING:
        return await measure_joining(driver, point, bounds.hosts)
    return await driver.measure(point)


def _plan(bounds: EngineBounds, quick: bool, model: str) -> ProfileSession:
    try:
        return ProfileSession.plan(bounds, quick, clock.now())
    except ValueError as error:
        raise ProfileFailed(grpc.StatusCode.FAILED_PRECONDITION, f"{model}: {error}", "BOUNDS") from error


def _warm_up(bounds: EngineBounds, batch: int) -> GridPoint:
    point = GridPoint(PointKind.DECODE, 16, WARM_UP_TOKENS, batch)
    return point if bounds.holds(point) else replace(point, prompt_tokens=1, output_tokens=1, batch=1)
