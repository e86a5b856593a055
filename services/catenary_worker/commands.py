"""The commands of the WorkerService, and what watchers see."""

from __future__ import annotations

from collections.abc import AsyncIterator

from catenary.core.worker import WorkerCore
from catenary.model.worker import SleepMode
from catenary.runtime.clock import now
from catenary.runtime.wire.worker import replica_to_proto
from catenary.v1 import worker_service_pb2 as pb
from catenary_worker.accelerator import Accelerator
from catenary_worker.engine_runner import CommandRefused, EngineRunner
from catenary_worker.feed import SnapshotFeed
from catenary_worker.model_weights import ModelWeights


class EngineCommands:
    """Each command returns the replica as it is afterwards, or raises CommandRefused."""

    def __init__(
        self,
        core: WorkerCore,
        runner: EngineRunner,
        feed: SnapshotFeed,
        accelerator: Accelerator,
        weights: ModelWeights,
    ) -> None:
        """A model in ``on_their_way`` is loaded by the worker itself, in its turn: a command to load it changes
        nothing."""
        self.on_their_way: set[str] = set()
        self._core = core
        self._runner = runner
        self._feed = feed
        self._accelerator = accelerator
        self._weights = weights

    async def load(self, model: str, generation: int) -> pb.ReplicaSnapshot:
        """Returns as soon as the engine starts."""
        if model in self.on_their_way:
            return self._replica(model)
        await self._accelerator.refresh()
        free, total = self._accelerator.free_bytes, self._accelerator.total_bytes
        await self._runner.issue(
            lambda command: self._core.engines.load(command, model, generation, free, total, now())
        )
        return self._replica(model)

    async def sleep(self, model: str, generation: int, level: int, mode: SleepMode) -> pb.ReplicaSnapshot:
        await self._runner.issue(
            lambda command: self._core.engines.sleep(command, model, generation, level, mode, now())
        )
        await self.look_for_weights(model)
        return self._replica(model)

    async def wake(self, model: str, generation: int) -> pb.ReplicaSnapshot:
        await self._runner.issue(lambda command: self._core.engines.wake(command, model, generation, now()))
        return self._replica(model)

    async def unload(self, model: str, generation: int) -> pb.ReplicaSnapshot:
        await self._runner.issue(lambda command: self._core.engines.unload(command, model, generation, now()))
        return self._replica(model)

    async def reserve(self, model: str, reserved: bool, holder: str) -> pb.ReplicaSnapshot:
        await self._runner.issue(lambda command: self._core.engines.reserve(command, model, reserved, holder))
        return self._replica(model)

    async def prefetch(self, model: str, cold: bool) -> tuple[int, float]:
        """Bytes of the weights and the seconds it took to have them here; ``cold``: though they were here before."""
        if model not in self._core.engines.records:
            raise CommandRefused(f"model {model!r} is not configured on this worker")
        began = now()
        num_bytes = await self._weights.prefetch(model, cold)
        duration_s = now() - began
        await self.look_for_weights(model)
        return num_bytes, duration_s

    async def look_for_weights(self, model: str) -> None:
        """Note whether a load of the model would read its weights from disk, where it would read them at all."""
        if self._core.engines.records[model].needs_weights:
            self._runner.perform(self._core.engines.found_weights(model, await self._weights.are_cold(model)))

    def drain(self) -> int:
        """Take no new calls; returns how many are left."""
        self._runner.perform(self._core.engines.drain(now()))
        return self._core.num_calls

    def watch(self, router_epoch: int) -> AsyncIterator[pb.WatchSnapshotsResponse]:
        self._core.watched(router_epoch)
        return self._feed.watch()

    def _replica(self, model: str) -> pb.ReplicaSnapshot:
        return replica_to_proto(self._core.replica(model, now()))
