"""Who knew a server finds the next one on its port, of whatever release and wherever it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from fake_worker import FakeWorker
from redis.asyncio import Redis

from catenary.client.errors import CatenaryError
from catenary.client.gateways import Gateways
from catenary.core.provisioner.events import SnapshotArrived
from catenary.core.router import WorkerLost
from catenary.runtime.rpc import GrpcServer
from catenary.runtime.store.workers import WorkerEntry, WorkerRegistry
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1.gateway_service_pb2_grpc import GatewayServiceServicer, add_GatewayServiceServicer_to_server
from catenary_gateway.peers import Peers
from catenary_provisioner.worker_link import WorkerLink
from catenary_router.workers import WorkerWatcher

REQUEST = pb.GetRunRequest(run_id="a")


class FakeGateway(GatewayServiceServicer):
    def __init__(self, address: str) -> None:
        self.server = GrpcServer(address)
        self.server.add(add_GatewayServiceServicer_to_server, self, "catenary.v1.GatewayService")

    async def GetRun(self, request: pb.GetRunRequest, context: grpc.aio.ServicerContext[Any, Any]) -> pb.GetRunResponse:
        return pb.GetRunResponse()


@asynccontextmanager
async def listening(server: GrpcServer) -> AsyncIterator[str]:
    await server.start()
    try:
        yield server.address
    finally:
        await server.stop(0)


async def comes(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            if true():
                return
            await asyncio.sleep(0.01)


async def answered(ask: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await ask()
            except (CatenaryError, grpc.RpcError):
                await asyncio.sleep(0.05)
            else:
                return


@pytest.mark.parametrize("who", ["client", "gateway"])
async def test_a_gateway_is_found_again(who: str) -> None:
    peers = Peers()
    async with listening(FakeGateway("127.0.0.1:0").server) as address:
        gateways = Gateways([address])

        async def ask() -> None:
            if who == "client":
                await gateways.ask(lambda stub: stub.GetRun, REQUEST, 5.0)
            else:
                await peers.get(address, REQUEST)

        await ask()
    with pytest.raises((CatenaryError, grpc.RpcError)):
        await ask()
    async with listening(FakeGateway(address).server):
        await answered(ask)
    await gateways.close()
    await peers.close()


async def test_a_provisioner_finds_a_worker_again() -> None:
    heard: list[SnapshotArrived] = []
    async with listening(FakeWorker("w0", "m").server) as address:
        link = WorkerLink("w0", 1, address, "provisioner-0", heard.append)
        await comes(lambda: bool(heard))
    num_before = len(heard)
    async with listening(FakeWorker("w0", "m", address=address).server):
        await comes(lambda: len(heard) > num_before)
        await link.close()


async def test_a_router_finds_a_worker_again(redis: Redis) -> None:
    events: list[object] = []
    watcher = WorkerWatcher(WorkerRegistry(redis), "router-0", 1, 0.05, ["w0"], [], events.append)
    async with asyncio.TaskGroup() as tasks:
        async with listening(FakeWorker("w0", "m").server) as address:
            entry = WorkerEntry("w0", address, 1)
            await WorkerRegistry(redis).publish("w0", address, 1, 60.0)
            watching = tasks.create_task(watcher.run())
            await comes(lambda: entry in watcher.heard)
        await comes(lambda: WorkerLost("w0") in events)
        async with listening(FakeWorker("w0", "m", address=address).server):
            await comes(lambda: entry in watcher.heard)
            watching.cancel()
