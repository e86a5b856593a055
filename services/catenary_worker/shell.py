"""The worker process: engines, calls, snapshots, liveness; from its start to the end of its drain."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import structlog
from redis.exceptions import RedisError

from catenary.core.worker import WorkerCore
from catenary.model.profile import EngineProfile
from catenary.model.sizes import GIB
from catenary.model.worker import ReplicaState, SleepMode, Worker
from catenary.runtime.advertised import advertised
from catenary.runtime.background import Background
from catenary.runtime.clock import now, wall
from catenary.runtime.config import Config, WorkerConfig
from catenary.runtime.profiles import file_or_assumed_profile, load_profiles
from catenary.runtime.rpc import GrpcServer
from catenary.runtime.service import STOP_S
from catenary.runtime.store.connection import connect
from catenary.runtime.store.workers import WorkerRegistry
from catenary.runtime.tasks import run_until
from catenary.runtime.wire.worker import worker_to_proto
from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.worker_service_pb2_grpc import add_WorkerServiceServicer_to_server
from catenary_worker.accelerator import Accelerator
from catenary_worker.commands import EngineCommands
from catenary_worker.engine import Engine
from catenary_worker.engine_factory import EngineFactory
from catenary_worker.engine_runner import CommandRefused, EngineRunner
from catenary_worker.feed import SnapshotFeed
from catenary_worker.metrics import WorkerMetrics
from catenary_worker.model_weights import ModelWeights
from catenary_worker.servicer import WorkerServicer

STOP_GRACE_S = 1.0
ABORT_GRACE_S = 2.0
HOUSEKEEPING_S = 0.2
MEMORY_INTERVAL_S = 1.0
WEIGHTS_INTERVAL_S = 10.0
LOAD_POLL_S = 0.05


class WorkerService:
    """Serves as soon as it listens; its replicas are LOADING until their engines are up, one after the other."""

    def __init__(self, config: Config, worker: WorkerConfig, config_path: Path | None) -> None:
        self._config = config
        self._worker = worker
        self._config_path = config_path
        self._incarnation = round(wall() * 1000)
        self._server = GrpcServer(worker.address)
        self._redis = connect(config.store.url)
        self._registry = WorkerRegistry(self._redis)
        self._accelerator = Accelerator(worker.device)
        self._engines: dict[str, Engine] = {}
        self._runner: EngineRunner | None = None
        self._factory: EngineFactory | None = None
        self._background = Background()
        self._published = False
        self._metrics = WorkerMetrics()
        self._log = structlog.get_logger().bind(worker_id=worker.id)

    @property
    def address(self) -> str:
        return advertised(self._server.address, self._config.advertised_host, self._worker.advertise)

    @property
    def stop_s(self) -> float:
        """Running calls have the drain timeout to end, engines the rest."""
        return self._config.worker.drain_timeout_s + STOP_S

    async def start(self) -> None:
        await self._accelerator.refresh()
        profiles = await self._profiles()
        weights = ModelWeights(self._config, profiles)
        factory = self._factory = EngineFactory(self._config, self._worker, profiles, self._accelerator, weights)
        await factory.open()
        feed = self._feed = SnapshotFeed(self._snapshot, self._config.worker.snapshot_interval_s)
        self._core = WorkerCore(self._fixed(), factory.settings(), self._config.worker.max_calls)
        self._runner = EngineRunner(self._core, self._engines, factory.make, feed.now)
        self._runner.calls.on_change = feed.soon
        if self._worker.metrics_port:
            self._metrics.serve(self._worker.metrics_port)
            self._runner.calls.on_end = self._metrics.call_ended
        commands = EngineCommands(self._core, self._runner, feed, self._accelerator, weights)
        if self._worker.one_awake:
            commands.on_their_way.update(self._worker.models)
        servicer = WorkerServicer(self._runner.calls, commands)
        self._server.add(add_WorkerServiceServicer_to_server, servicer, "catenary.v1.WorkerService")
        await self._server.start()
        for work in (feed.run(), self._heartbeat(), self._housekeeping(self._core, self._runner)):
            self._background.spawn(work, essential=True)
        for work in (self._follow_memory(), self._follow_weights(commands), self._load(commands)):
            self._background.spawn(work)
        await self._server.set_serving(True)

    async def finished(self) -> None:
        """Returns when a Drain request has been carried out; raises what a loop raised that the worker needs."""
        if self._runner is None:
            raise RuntimeError("the worker has not started")
        await run_until(self._runner.drained, self._background.failed())

    async def stop(self) -> None:
        """Finish running calls within the drain timeout, then end the engines and everything that belongs to them."""
        if self._runner is not None:
            await self._drain(self._runner)
            self._runner.calls.close()
            self._feed.close()
        await self._background.close()
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await self._registry.remove(self._worker.id, self._incarnation)
        await self._server.stop(STOP_GRACE_S)
        if self._runner is not None:
            await self._runner.stop()
        if self._factory is not None:
            await self._factory.close()
        await self._metrics.close()
        await self._redis.aclose()

    async def _drain(self, runner: EngineRunner) -> None:
        timeout_s = self._config.worker.drain_timeout_s
        runner.perform(self._core.engines.drain(now()))
        try:
            await asyncio.wait_for(runner.drained.wait(), timeout_s)
        except TimeoutError:
            self._log.warning("calls aborted", num_calls=self._core.num_calls, drain_timeout_s=timeout_s)
            runner.perform(self._core.abort_all(f"the worker went away after drain_timeout_s = {timeout_s:g} s"))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(runner.drained.wait(), ABORT_GRACE_S)

    async def _load(self, commands: EngineCommands) -> None:
        """All models one after the other; where one is awake at a time, each sleeps before the next is loaded, and the
        first is loaded last and stays awake."""
        models = self._worker.models[::-1] if self._worker.one_awake else self._worker.models
        for model in models:
            commands.on_their_way.discard(model)
            try:
                await commands.load(model, 0)
                if self._worker.one_awake and model != models[-1]:
                    await self._settled(model)
                    await commands.sleep(model, 0, 0, SleepMode.DRAIN)
            except CommandRefused as refusal:
                self._log.error("model not loaded", model=model, error=str(refusal))

    async def _settled(self, model: str) -> None:
        """Returns once the engine is up or has failed; starts take seconds to minutes."""
        while True:
            if self._core.engines.records[model].state is not ReplicaState.LOADING:
                return
            await asyncio.sleep(LOAD_POLL_S)

    async def _heartbeat(self) -> None:
        settings = self._config.worker
        while True:
            try:
                await self._registry.publish(self._worker.id, self.address, self._incarnation, settings.liveness_ttl_s)
                self._note_published(True, "")
            except (RedisError, OSError, TimeoutError) as error:
                self._note_published(False, str(error))
            await asyncio.sleep(settings.heartbeat_s)

    def _note_published(self, published: bool, error: str) -> None:
        if published is not self._published:
            self._log.info("registered" if published else "store unreachable", address=self.address, error=error)
        self._published = published

    async def _housekeeping(self, core: WorkerCore, runner: EngineRunner) -> None:
        """Abort calls that wait in vain."""
        while True:
            runner.perform(core.drop_lost(now()))
            if self._worker.metrics_port:
                self._measure(core)
            await asyncio.sleep(HOUSEKEEPING_S)

    def _measure(self, core: WorkerCore) -> None:
        for model, engine in self._engines.items():
            self._metrics.engine(model, engine.stats())
        self._metrics.replicas(core.snapshot(self._accelerator.free_bytes, now()))

    async def _follow_memory(self) -> None:
        while True:
            await asyncio.sleep(MEMORY_INTERVAL_S)
            await self._accelerator.refresh()

    async def _follow_weights(self, commands: EngineCommands) -> None:
        """What else the host reads and writes pushes weights out of its page cache."""
        while True:
            for model in self._worker.models:
                await commands.look_for_weights(model)
            await asyncio.sleep(WEIGHTS_INTERVAL_S)

    def _snapshot(self) -> pb.WorkerSnapshot:
        for model, engine in self._engines.items():
            self._core.set_stats(model, engine.stats())
        message = worker_to_proto(self._core.snapshot(self._accelerator.free_bytes, now()))
        message.address = self.address
        return message

    def _fixed(self) -> Worker:
        """What does not change in the snapshots; the address is known once the server listens."""
        return Worker(
            worker_id=self._worker.id,
            address="",
            incarnation=self._incarnation,
            replicas=(),
            accelerator=self._accelerator.name,
            memory_total_bytes=self._accelerator.total_bytes,
            num_accelerators=self._worker.num_accelerators,
            memory_budget_bytes=self._budget_bytes(),
            host_budget_bytes=round(self._worker.host_memory_gib * GIB),
        )

    def _budget_bytes(self) -> int:
        """What awake engines may take together; 0: not known. A machine's memory is no accelerator's."""
        total = 0 if self._accelerator.is_cpu else self._accelerator.total_bytes
        given = round(self._worker.memory_gib * GIB)
        return min(given, total) if given and total else given or total

    async def _profiles(self) -> dict[str, EngineProfile]:
        """The stored ones where the store answers; else those of the files."""
        try:
            return await load_profiles(self._config, self._redis, self._config_path)
        except (RedisError, OSError, TimeoutError) as error:
            self._log.warning("store unreachable, profiles come from files", error=str(error))
        models = self._config.models.items()
        return {
            name: replace(
                file_or_assumed_profile(name, model, self._config_path),
                max_num_seqs=model.max_num_seqs,
                max_model_len=model.max_model_len,
            )
            for name, model in models
        }
