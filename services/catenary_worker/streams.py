"""What goes back to a gateway: ends and first deltas at once, other deltas gathered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from catenary.runtime.bell import Bell, delta_gap_s
from catenary.v1 import worker_service_pb2 as pb

MAX_WAITING_DELTAS = 100_000


class GatewayStream:
    """The outgoing half of one Generate stream: an async iterator of messages, one reader.

    The first delta of a call and every end, with what waits of that call, leave in their loop turn. Other deltas wait
    for each other, the longer the more calls there are, whatever leaves meanwhile; those of one call become one.
    A reader so slow that ``MAX_WAITING_DELTAS`` deltas wait ends the stream; its calls are then aborted.
    """

    def __init__(self, stream_id: int) -> None:
        self.stream_id = stream_id
        self.gateway_id = ""
        self.overrun = False
        self.num_calls = 0
        self._last_call_ends_it = False
        self._closed = False
        self._urgent = pb.GenerateResponse()
        self._patient: dict[tuple[str, int], pb.CallDelta] = {}
        self._num_waiting = 0
        self._patient_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._bell = Bell()

    def delta(
        self, call_id: str, attempt: int, offset: int, token_ids: Sequence[int], text: str, is_first: bool = False
    ) -> None:
        if self._num_waiting >= MAX_WAITING_DELTAS:
            self.overrun = True
            self.close()
            return
        self._num_waiting += 1
        earlier = self._patient.get((call_id, attempt))
        if earlier is not None:
            earlier.token_ids.extend(token_ids)
            earlier.text += text
            return
        delta = pb.CallDelta(call_id=call_id, attempt=attempt, offset=offset, token_ids=token_ids, text=text)
        if is_first:
            self._urgent.deltas.append(delta)
            self._bell.ring()
            return
        self._patient[call_id, attempt] = delta
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(self._patient_until, self._release)

    def end(self, message: pb.CallEnd) -> None:
        last = self._patient.pop((message.call_id, message.attempt), None)
        if last is not None:
            self._urgent.deltas.append(last)
        self._urgent.ends.append(message)
        self._bell.ring()

    def end_with_last_call(self) -> None:
        """The gateway sends nothing more: the stream ends when it has no call left."""
        self._last_call_ends_it = True
        self._bell.ring()

    def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._bell.ring()

    def __aiter__(self) -> GatewayStream:
        return self

    async def __anext__(self) -> pb.GenerateResponse:
        while True:
            ends = self._closed or (self._last_call_ends_it and not self.num_calls)
            if self._patient and (ends or asyncio.get_running_loop().time() >= self._patient_until):
                self._add_patient()
            if self._urgent.deltas or self._urgent.ends:
                break
            if ends:
                raise StopAsyncIteration
            await self._bell.wait()
        message, self._urgent = self._urgent, pb.GenerateResponse()
        self._num_waiting = len(self._patient)
        return message

    def _release(self) -> None:
        self._timer = None
        self._patient_until = 0.0
        self._bell.ring()

    def _add_patient(self) -> None:
        self._urgent.deltas.extend(self._patient.values())
        self._patient.clear()
        self._patient_until = asyncio.get_running_loop().time() + delta_gap_s(self.num_calls)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
