"""The router process: its parts, their start and their stop."""

from __future__ import annotations

import asyncio
from pathlib import Path

from catenary.runtime.advertised import advertised
from catenary.runtime.config import Config
from catenary.runtime.rpc import GrpcServer
from catenary.runtime.store.connection import connect
from catenary.runtime.tasks import cancel
from catenary.v1 import router_service_pb2_grpc
from catenary_router.servicer import RouterServicer
from catenary_router.shell import Router

STOP_GRACE_S = 1.0


class RouterService:
    def __init__(self, config: Config, router_id: str, config_path: Path | None) -> None:
        self._advertised_host = config.advertised_host
        self._metrics_port = config.router.metrics_port
        self._advertise = config.router.advertise
        self._redis = connect(config.store.url)
        self._router = Router(config, router_id, config_path, self._redis)
        self._server = GrpcServer(config.router.address)
        self._server.add(
            router_service_pb2_grpc.add_RouterServiceServicer_to_server,
            RouterServicer(self._router),
            "catenary.v1.RouterService",
        )
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        return self._server.address

    async def start(self) -> None:
        await self._server.start()
        address = advertised(self._server.address, self._advertised_host, self._advertise)
        self._task = asyncio.create_task(self._router.lead(address), name="router lease")
        self._router.metrics.serve(self._metrics_port)
        await self._server.set_serving(True)

    async def finished(self) -> None:
        """A router that can neither lead nor wait is of no use."""
        if self._task is None:
            raise RuntimeError("the router has not started")
        await asyncio.shield(self._task)

    async def stop(self) -> None:
        if self._task is not None:
            await cancel(self._task)
        self._router.gateways.close_all()
        await self._server.stop(STOP_GRACE_S)
        await self._router.release()
        await self._router.metrics.close()
        await self._redis.aclose()
