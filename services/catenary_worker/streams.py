"""What goes back to a gateway: deltas and ends, gathered into one message per loop turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from catenary.v1 import worker_service_pb2 as pb

MAX_WAITING_DELTAS = 100_000


class GatewayStream:
    """The outgoing half of one Generate stream: an async iterator of messages, one reader.

    A reader so slow that ``MAX_WAITING_DELTAS`` deltas wait ends the stream; its calls are then aborted.
    """

    def __init__(self, stream_id: int) -> None:
        self.stream_id = stream_id
        self.gateway_id = ""
        self.num_calls = 0
        self.overrun = False
        self._last_call_ends_it = False
        self._closed = False
        self._pending = pb.GenerateResponse()
        self._num_pending = 0
        self._waiter: asyncio.Future[None] | None = None

    def delta(self, call_id: str, attempt: int, offset: int, token_ids: Sequence[int], text: str) -> None:
        if self._num_pending >= MAX_WAITING_DELTAS:
            self.overrun = True
            self.close()
            return
        self._pending.deltas.add(call_id=call_id, attempt=attempt, offset=offset, token_ids=token_ids, text=text)
        self._num_pending += 1
        self._wake()

    def end(self, message: pb.CallEnd) -> None:
        self._pending.ends.append(message)
        self._num_pending += 1
        self._wake()

    def end_with_last_call(self) -> None:
        """The gateway sends nothing more: the stream ends when it has no call left."""
        self._last_call_ends_it = True
        self._wake()

    def close(self) -> None:
        self._closed = True
        self._wake()

    def __aiter__(self) -> GatewayStream:
        return self

    async def __anext__(self) -> pb.GenerateResponse:
        while not self._num_pending:
            if self._closed or (self._last_call_ends_it and not self.num_calls):
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        message, self._pending, self._num_pending = self._pending, pb.GenerateResponse(), 0
        return message

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
