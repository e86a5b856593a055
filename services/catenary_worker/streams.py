"""What goes back to a gateway: deltas and ends, gathered into one message per few milliseconds."""

from __future__ import annotations

from collections.abc import Sequence

from catenary.runtime.bell import Bell, delta_gap_s
from catenary.v1 import worker_service_pb2 as pb

MAX_WAITING_DELTAS = 100_000


class GatewayStream:
    """The outgoing half of one Generate stream: an async iterator of messages, one reader.

    The first delta of a call, the first one after a pause and every end leave in their loop turn. Deltas of a call that
    wait together are one, and the more calls there are, the longer the others wait for each other.
    A reader so slow that ``MAX_WAITING_DELTAS`` deltas wait ends the stream; its calls are then aborted.
    """

    def __init__(self, stream_id: int) -> None:
        self.stream_id = stream_id
        self.gateway_id = ""
        self.overrun = False
        self._last_call_ends_it = False
        self._closed = False
        self._pending = pb.GenerateResponse()
        self._num_pending = 0
        self._latest: dict[str, pb.CallDelta] = {}
        self._num_calls = 0
        self._bell = Bell(delta_gap_s(0))

    @property
    def num_calls(self) -> int:
        return self._num_calls

    @num_calls.setter
    def num_calls(self, count: int) -> None:
        self._num_calls = count
        self._bell.gap_s = delta_gap_s(count)

    def delta(
        self, call_id: str, attempt: int, offset: int, token_ids: Sequence[int], text: str, is_first: bool = False
    ) -> None:
        if self._num_pending >= MAX_WAITING_DELTAS:
            self.overrun = True
            self.close()
            return
        self._num_pending += 1
        latest = self._latest.get(call_id)
        if latest is not None and latest.attempt == attempt:
            latest.token_ids.extend(token_ids)
            latest.text += text
            return
        self._latest[call_id] = self._pending.deltas.add(
            call_id=call_id, attempt=attempt, offset=offset, token_ids=token_ids, text=text
        )
        self._bell.ring(urgent=is_first)

    def end(self, message: pb.CallEnd) -> None:
        self._pending.ends.append(message)
        self._num_pending += 1
        self._bell.ring(urgent=True)

    def end_with_last_call(self) -> None:
        """The gateway sends nothing more: the stream ends when it has no call left."""
        self._last_call_ends_it = True
        self._bell.ring(urgent=True)

    def close(self) -> None:
        self._closed = True
        self._bell.ring(urgent=True)

    def __aiter__(self) -> GatewayStream:
        return self

    async def __anext__(self) -> pb.GenerateResponse:
        while True:
            if not self._num_pending and (self._closed or (self._last_call_ends_it and not self.num_calls)):
                raise StopAsyncIteration
            if not (self._closed and self._num_pending):
                await self._bell.wait()
            if self._num_pending:
                break
        message, self._pending, self._num_pending = self._pending, pb.GenerateResponse(), 0
        self._latest.clear()
        return message
