"""The profiler process: its parts and their order of start and stop."""

from __future__ import annotations

import argparse
from contextlib import AsyncExitStack
from pathlib import Path

from catenary.core.profiler import ProfilerCore
from catenary.runtime.background import Background
from catenary.runtime.config import Config
from catenary.runtime.profile_settings import settings_digest
from catenary.runtime.rpc import GrpcServer, channel
from catenary.runtime.store.connection import connect
from catenary.runtime.store.profiles import ProfileStore
from catenary.v1.profiler_service_pb2_grpc import add_ProfilerServiceServicer_to_server
from catenary.v1.provisioner_service_pb2_grpc import ProvisionerServiceStub
from catenary_profiler.archive import ProfileArchive
from catenary_profiler.measurement import Measurement
from catenary_profiler.metrics import ProfilerMetrics
from catenary_profiler.servicer import ProfilerServicer
from catenary_profiler.settings import fallback_records

STOP_GRACE_S = 1.0


class ProfilerShell:
    """Serves the profiler; needs the provisioner only to measure, and the store only to remember."""

    def __init__(self, config: Config, config_path: Path | None) -> None:
        self._config = config
        self._core = ProfilerCore(
            {name: settings_digest(model) for name, model in config.models.items()},
            fallback_records(config, config_path),
            config.profiler.max_correction,
        )
        self._server = GrpcServer(config.profiler.address)
        self._background = Background()
        self._parts = AsyncExitStack()

    @property
    def address(self) -> str:
        return self._server.address

    async def start(self) -> None:
        redis = connect(self._config.store.url)
        self._parts.push_async_callback(redis.aclose)
        provisioner = await self._parts.enter_async_context(channel(self._config.provisioner.address))
        archive = ProfileArchive(self._core, ProfileStore(redis), self._config.profiler.profiles_dir)
        measurement = Measurement(self._config, self._core, archive, ProvisionerServiceStub(provisioner))
        metrics = ProfilerMetrics(self._core)
        servicer = ProfilerServicer(self._core, measurement, archive, metrics)
        self._server.add(add_ProfilerServiceServicer_to_server, servicer, "catenary.v1.ProfilerService")
        await archive.load()
        self._parts.push_async_callback(self._background.close)
        self._background.spawn(archive.follow_corrections(), essential=True)
        self._background.spawn(metrics.follow())
        metrics.serve(self._config.profiler.metrics_port)
        self._parts.push_async_callback(metrics.close)
        await self._server.start()
        self._parts.push_async_callback(self._server.stop, STOP_GRACE_S)
        self._parts.push_async_callback(servicer.close)
        await self._server.set_serving(True)

    async def finished(self) -> None:
        """Raises what a loop raised that the profiler needs."""
        await self._background.failed()

    async def stop(self) -> None:
        await self._parts.aclose()


def build(config: Config, args: argparse.Namespace) -> ProfilerShell:
    """Raises ConfigError where a profile file named in the configuration cannot be used."""
    return ProfilerShell(config, args.config)
