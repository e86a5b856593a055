"""A run in progress, as its client sees it."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import Self

from catenary.client.assemble import RunAssembly
from catenary.client.gateways import Gateways
from catenary.client.records import Run
from catenary.client.stream import EventStream, cancel_quietly
from catenary.client.tokens import TokenLedger
from catenary.client.wire import event_from, run_from
from catenary.model import run as ev
from catenary.v1 import gateway_service_pb2 as gateway_pb2


class RunHandle:
    """Iterate it for the events, or await ``result()``. As a context manager it ends what it does not wait for.

    Leaving a run that is not detached cancels it.
    """

    def __init__(
        self,
        gateways: Gateways,
        stream: EventStream,
        assembly: RunAssembly,
        run_id: str,
        *,
        owns: bool,
        timeout_s: float,
    ) -> None:
        self.run_id = run_id
        self._gateways = gateways
        self._stream = stream
        self._assembly = assembly
        self._owns = owns
        self._timeout_s = timeout_s
        self._ledger = TokenLedger()
        self._ready: deque[ev.RunEventBody] = deque()
        self._closed = False

    @property
    def ended(self) -> bool:
        return self._assembly.ended

    @property
    def sequence(self) -> int:
        """Number of the last event received; ``Client.watch(run_id, after_sequence=...)`` goes on behind it."""
        return self._stream.sequence

    @property
    def run(self) -> Run:
        """The run as far as the events read so far tell."""
        return self._assembly.run()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ev.RunEventBody:
        """Raises CatenaryError where no gateway can take the stream up again."""
        if not self._ready and not await self._fill():
            raise StopAsyncIteration
        return self._ready.popleft()

    async def result(self) -> Run:
        """Wait for the run's end; a refused or failed run is a result, too."""
        async for _ in self:
            pass
        return self._assembly.run()

    async def cancel(self, reason: str = "") -> Run:
        request = gateway_pb2.CancelRunRequest(run_id=self.run_id, reason=reason)
        response = await self._gateways.ask(lambda stub: stub.CancelRun, request, self._timeout_s)
        return run_from(response.run)

    async def aclose(self) -> None:
        """Leave the run: without ``detach`` it is cancelled, unless it has ended."""
        if self._closed:
            return
        self._closed = True
        await self._stream.close()
        if self._owns and self._stream.begun and not self.ended:
            await cancel_quietly(self._gateways, self.run_id, "the client went away", self._timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def begin(self) -> None:
        """Wait for the first event, so that a refused request raises here."""
        await self._fill()

    async def _fill(self) -> bool:
        """Read until at least one event is ready; False at the end."""
        while not self._ready:
            if self.ended or self._closed:
                return False
            event = event_from(await self._stream.read())
            if event is not None:
                self._take(event)
        return True

    def _take(self, event: ev.RunEventBody) -> None:
        match event:
            case ev.CallTokens():
                fresh = self._ledger.admit(event)
                if fresh is not None:
                    self._ready.append(fresh)
                return
            case ev.CallRestarted():
                self._ledger.restart(event)
            case ev.CallFinished() if self._stream.tokens:
                rest = self._ledger.finish(event)
                if rest is not None:
                    self._ready.append(rest)
        self._assembly.add(event)
        self._ready.append(event)
