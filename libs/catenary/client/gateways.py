"""The gateways that a client knows: one channel each, in turns."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import grpc
import grpc.aio

from catenary.client.errors import CatenaryError
from catenary.runtime.rpc import channel, error_info
from catenary.v1.gateway_service_pb2_grpc import GatewayServiceStub

Response = TypeVar("Response")
REST_S = 5.0
READER_TOO_SLOW, OWNER_LOST = "READER_TOO_SLOW", "OWNER_LOST"
_OF_THE_RUN = frozenset({READER_TOO_SLOW, OWNER_LOST})


class Gateways:
    """Owns the channels; belongs to one event loop. While there are others, one that failed is left alone for 5 s."""

    def __init__(self, addresses: Sequence[str]) -> None:
        if not addresses:
            raise ValueError("addresses: at least one gateway address (host:port) is needed")
        self.addresses = tuple(addresses)
        self._turns = deque(self.addresses)
        self._failed_at: dict[str, float] = {}
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._stubs: dict[str, Any] = {}

    def preferred(self, tried: Collection[str] = ()) -> str:
        """Whose turn it is of those not yet ``tried``; of all once each has been."""
        left = [address for address in self._turns if address not in tried] or list(self._turns)
        return next((address for address in left if not self._rests(address)), left[0])

    def take_turn(self, tried: Collection[str] = ()) -> str:
        """The gateway for a new stream; the next one goes to another."""
        address = self.preferred(tried)
        self._to_the_end(address)
        return address

    def failed(self, address: str, reason: str) -> None:
        """The gateway cannot serve just now, unless the ``reason`` is the run's alone."""
        if reason not in _OF_THE_RUN:
            self._failed_at[address] = time.monotonic()
        self._to_the_end(address)

    def _rests(self, address: str) -> bool:
        return time.monotonic() - self._failed_at.get(address, -math.inf) < REST_S

    def _to_the_end(self, address: str) -> None:
        self._turns.remove(address)
        self._turns.append(address)

    def stub(self, address: str) -> Any:
        if address not in self._stubs:
            self._channels[address] = channel(address)
            self._stubs[address] = GatewayServiceStub(self._channels[address])
        return self._stubs[address]

    async def ask(self, method: Callable[[Any], Any], request: Any, timeout_s: float) -> Any:
        """One unary RPC; a gateway that is not available passes it on to the next, each is asked once.

        Raises:
            CatenaryError: refused, or no gateway answered.
        """
        error: CatenaryError | None = None
        tried: set[str] = set()
        for _ in self.addresses:
            address = self.preferred(tried)
            tried.add(address)
            try:
                return await method(self.stub(address))(request, timeout=timeout_s)
            except grpc.aio.AioRpcError as failure:
                error = self.translate(failure)
                if error.code is not grpc.StatusCode.UNAVAILABLE:
                    raise error from failure
                self.failed(address, error.reason)
        assert error is not None
        raise error

    def translate(self, failure: grpc.aio.AioRpcError) -> CatenaryError:
        code, message, reason, metadata = error_info(failure)
        error = CatenaryError(code, message, reason, metadata)
        if error.unreachable:
            error.message = f"no gateway at {', '.join(self.addresses)}: {message}"
        return error

    async def close(self) -> None:
        for opened in self._channels.values():
            await opened.close()
        self._channels.clear()
        self._stubs.clear()
