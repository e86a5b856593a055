"""The other gateways: what they own is asked of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc

from catenary.runtime.rpc import channel
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import run_pb2
from catenary.v1.gateway_service_pb2_grpc import GatewayServiceStub

FORWARDED = "catenary-forwarded"
MAX_PEERS = 64
TIMEOUT_S = 10.0
_METADATA = ((FORWARDED, "1"),)


class Peers:
    """Channels to at most 64 gateways. A forwarded request is marked and never forwarded again."""

    def __init__(self) -> None:
        self._channels: OrderedDict[str, grpc.aio.Channel] = OrderedDict()

    async def watch(self, address: str, request: pb.WatchRunRequest) -> AsyncIterator[Sequence[run_pb2.RunEvent]]:
        """Raises grpc.RpcError."""
        stub = await self._stub(address)
        async for response in stub.WatchRun(request, metadata=_METADATA):
            yield response.events

    async def get(self, address: str, request: pb.GetRunRequest) -> pb.GetRunResponse:
        """Raises grpc.RpcError."""
        stub = await self._stub(address)
        response: pb.GetRunResponse = await stub.GetRun(request, metadata=_METADATA, timeout=TIMEOUT_S)
        return response

    async def cancel(self, address: str, request: pb.CancelRunRequest) -> pb.CancelRunResponse:
        """Raises grpc.RpcError."""
        stub = await self._stub(address)
        response: pb.CancelRunResponse = await stub.CancelRun(request, metadata=_METADATA, timeout=TIMEOUT_S)
        return response

    async def close(self) -> None:
        while self._channels:
            await self._channels.popitem()[1].close()

    async def _stub(self, address: str) -> Any:
        if address not in self._channels:
            self._channels[address] = channel(address)
            if len(self._channels) > MAX_PEERS:
                await self._channels.popitem(last=False)[1].close()
        self._channels.move_to_end(address)
        return GatewayServiceStub(self._channels[address])


def was_forwarded(context: grpc.aio.ServicerContext[Any, Any]) -> bool:
    return any(key == FORWARDED for key, _ in context.invocation_metadata() or ())
