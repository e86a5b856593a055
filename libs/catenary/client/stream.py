"""The events of one run across broken streams and several gateways."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from catenary.client.errors import CatenaryError
from catenary.client.gateways import READER_TOO_SLOW, Gateways
from catenary.v1 import gateway_service_pb2 as gateway_pb2
from catenary.v1 import run_pb2

_TRANSPORT = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class Reattach:
    """How often a broken stream is taken up again at each gateway without an event in between, and how long apart
    (seconds): the gateways are tried one after the other, then there is a pause."""

    attempts: int = 12
    first_s: float = 0.05
    max_s: float = 2.0

    def pause_s(self, attempt: int) -> float:
        return min(self.max_s, self.first_s * 2.0**attempt)


class EventStream:
    """Reads a run's events in order, numbered ones once.

    It starts with ``submit`` (None: watches a run of somebody else) and goes on with WatchRun after the last number
    seen. Before the first event the submission itself is repeated: the same run_id and content attaches.
    """

    def __init__(
        self,
        gateways: Gateways,
        run_id: str,
        submit: gateway_pb2.SubmitWorkflowRequest | None,
        *,
        tokens: bool,
        after_sequence: int = 0,
        reattach: Reattach,
    ) -> None:
        self._gateways = gateways
        self._run_id = run_id
        self._submit = submit
        self.tokens = tokens
        self._reattach = reattach
        self.sequence = after_sequence
        self._address = ""
        self._call: Any = None
        self._arrived: deque[run_pb2.RunEvent] = deque()
        self._receiving: asyncio.Future[Any] | None = None
        self._tried: set[str] = set()
        self._failures = 0
        self.begun = False

    async def read(self) -> run_pb2.RunEvent:
        """The next event. Call it no more after the run's last event.

        Raises:
            CatenaryError: refused, or no gateway could take the stream up again.
        """
        while True:
            while self._arrived:
                event = self._arrived.popleft()
                if self._is_new(event):
                    return event
            try:
                response = await self._receive()
                if response is grpc.aio.EOF:
                    await self._break(None)
                else:
                    self._arrived.extend(response.events)
            except grpc.aio.AioRpcError as failure:
                await self._break(failure)

    async def close(self) -> None:
        if self._call is not None:
            self._call.cancel()
        if self._receiving is not None:
            await asyncio.gather(self._receiving, return_exceptions=True)
        self._call = self._receiving = None

    async def _receive(self) -> Any:
        """One message. Cancelling this wait, as a timeout does, leaves the stream as it is."""
        if self._call is None:
            self._open()
        if self._receiving is None:
            self._receiving = asyncio.ensure_future(self._call.read())
        receiving = self._receiving
        try:
            return await asyncio.shield(receiving)
        finally:
            if receiving.done():
                self._receiving = None

    def _open(self) -> None:
        self._address = self._gateways.take_turn(self._tried)
        self._tried.add(self._address)
        stub = self._gateways.stub(self._address)
        if self._submit is not None and not self.begun:
            self._call = stub.SubmitWorkflow(self._submit)
            return
        request = gateway_pb2.WatchRunRequest(
            run_id=self._run_id, after_sequence=self.sequence, stream_tokens=self.tokens
        )
        self._call = stub.WatchRun(request)

    def _is_new(self, event: run_pb2.RunEvent) -> bool:
        self.begun = True
        if 0 < event.sequence <= self.sequence:
            return False
        self._failures = 0
        self._tried.clear()
        self.sequence = max(self.sequence, event.sequence)
        return True

    async def _break(self, failure: grpc.aio.AioRpcError | None) -> None:
        """Prepare another try, or raise where there is none left."""
        self._call = None
        error = self._gateways.translate(failure) if failure is not None else self._ended_early()
        passing = error.code is grpc.StatusCode.UNAVAILABLE or error.reason == READER_TOO_SLOW
        passing = passing or (error.code in _TRANSPORT and not error.reason)
        rounds = self._reattach.attempts if self.begun else 1
        num_gateways = len(self._gateways.addresses)
        self._failures += 1
        if passing:
            self._gateways.failed(self._address, error.reason)
        if not passing or self._failures >= rounds * num_gateways:
            raise error from failure
        if self._failures % num_gateways == 0:
            self._tried.clear()
            await asyncio.sleep(self._reattach.pause_s(self._failures // num_gateways - 1))

    def _ended_early(self) -> CatenaryError:
        return CatenaryError(
            grpc.StatusCode.UNAVAILABLE, f"the stream of run {self._run_id} ended before the run did", "STREAM_ENDED"
        )


async def cancel_quietly(gateways: Gateways, run_id: str, reason: str, timeout_s: float) -> None:
    """Ask for the run's end; a gateway that does not answer is no error here."""
    request = gateway_pb2.CancelRunRequest(run_id=run_id, reason=reason)
    with contextlib.suppress(CatenaryError):
        await gateways.ask(lambda stub: stub.CancelRun, request, timeout_s)
