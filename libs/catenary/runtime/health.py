"""Asking a service whether it serves. ``python -m catenary.runtime.health HOST:PORT`` exits with 0 where it does."""

from __future__ import annotations

import asyncio
import sys

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
            if await _serves(stub):
                return
            await asyncio.sleep(_POLL_S)


async def is_serving(address: str) -> bool:
    """False also where nothing answers at ``address`` within two seconds."""
    async with channel(address) as connection:
        return await _serves(health_pb2_grpc.HealthStub(connection))


async def _serves(stub: health_pb2_grpc.HealthStub) -> bool:
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_S)
    except grpc.RpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m catenary.runtime.health HOST:PORT")
    sys.exit(0 if asyncio.run(is_serving(sys.argv[1])) else 1)
