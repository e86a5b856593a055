"""Asking a service whether it serves."""

from __future__ import annotations

import asyncio

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from catenary.runtime.rpc import channel

_POLL_S = 0.1
_TIMEOUT_S = 2.0


async def wait_serving(address: str) -> None:
    """Returns when the service at ``address`` reports SERVING; waits for it as long as it takes."""
    async with channel(address) as connection:
        stub = health_pb2_grpc.HealthStub(connection)
        while True:
            try:
                answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_S)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            except grpc.RpcError:
                pass
            await asyncio.sleep(_POLL_S)
