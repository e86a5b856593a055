from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from catenary.runtime.health import is_serving
from catenary.runtime.rpc import GrpcServer, abort, channel, error_info
from catenary.v1 import dispatch_pb2, router_service_pb2, router_service_pb2_grpc

NAME = "catenary.v1.RouterService"


class Router(router_service_pb2_grpc.RouterServiceServicer):
    async def GetPools(self, request: object, context: grpc.aio.ServicerContext[Any, Any]) -> object:
        await abort(
            context,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "queue of pool 'm' is full: 10",
            "REJECTED_CAPACITY",
            {"n": "10"},
        )

    async def DispatchCalls(
        self,
        request_iterator: AsyncIterator[dispatch_pb2.DispatchCallsRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[dispatch_pb2.DispatchCallsResponse]:
        async for request in request_iterator:
            yield dispatch_pb2.DispatchCallsResponse(epoch=len(request.gateway_id))


@pytest.fixture
async def server() -> AsyncIterator[GrpcServer]:
    server = GrpcServer("127.0.0.1:0")
    server.add(router_service_pb2_grpc.add_RouterServiceServicer_to_server, Router(), NAME)
    await server.start()
    yield server
    await server.stop(0)


@pytest.fixture
async def client(server: GrpcServer) -> AsyncIterator[grpc.aio.Channel]:
    async with channel(server.address) as client:
        yield client


@pytest.mark.parametrize("service", ["", NAME])
async def test_health_follows_set_serving(server: GrpcServer, client: grpc.aio.Channel, service: str) -> None:
    health = health_pb2_grpc.HealthStub(client)
    states = health_pb2.HealthCheckResponse.ServingStatus
    request = health_pb2.HealthCheckRequest(service=service)
    assert (await health.Check(request)).status == states.NOT_SERVING
    await server.set_serving(True)
    assert (await health.Check(request)).status == states.SERVING


async def test_reflection_lists_the_services(client: grpc.aio.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(client)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    names = [service.name async for reply in call for service in reply.list_services_response.service]
    assert NAME in names
    assert "grpc.health.v1.Health" in names


async def test_the_reason_of_an_error_reaches_the_caller(client: grpc.aio.Channel) -> None:
    stub = router_service_pb2_grpc.RouterServiceStub(client)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetPools(router_service_pb2.GetPoolsRequest())
    code, message, reason, metadata = error_info(caught.value)
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert message == "queue of pool 'm' is full: 10"
    assert reason == "REJECTED_CAPACITY"
    assert metadata == {"n": "10"}


async def test_a_stream_ends_before_the_request_that_is_no_message(client: grpc.aio.Channel) -> None:
    good = dispatch_pb2.DispatchCallsRequest(gateway_id="abc").SerializeToString()
    method: grpc.aio.StreamStreamMultiCallable[bytes, Any] = client.stream_stream(
        f"/{NAME}/DispatchCalls", response_deserializer=dispatch_pb2.DispatchCallsResponse.FromString
    )
    stream = method(iter([good, good, b"\xff\xff", good]))
    for _ in range(2):
        answer: Any = await stream.read()
        assert answer.epoch == 3
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream.read()
    assert error_info(caught.value)[:1] == (grpc.StatusCode.INVALID_ARGUMENT,)
    assert error_info(caught.value).reason == "INVALID_ARGUMENT"


async def test_an_error_without_details_has_no_reason() -> None:
    async with channel("127.0.0.1:1") as client:
        stub = router_service_pb2_grpc.RouterServiceStub(client)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetPools(router_service_pb2.GetPoolsRequest(), timeout=5)
    assert error_info(caught.value)[0] is grpc.StatusCode.UNAVAILABLE
    assert error_info(caught.value).reason == ""


async def test_a_taken_address_is_refused(server: GrpcServer) -> None:
    second = GrpcServer(server.address)
    with pytest.raises(OSError, match=f"{server.address}: cannot be bound"):
        await second.start()


async def test_a_health_check_tells_a_service_that_serves_from_one_that_does_not() -> None:
    server = GrpcServer("127.0.0.1:0")
    await server.start()
    assert not await is_serving(server.address)
    await server.set_serving(True)
    assert await is_serving(server.address)
    await server.stop(0)
    assert not await is_serving(server.address)
