"""The gateway's core on the virtual clock: its actions become messages to the other parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from catenary.core.gateway.core import GatewayCore
from catenary.core.gateway.events import (
    Abort,
    CallTokenized,
    CreateRun,
    EndRun,
    GatewayEvent,
    Offer,
    Publish,
    Refuse,
    Release,
    ReportCall,
    RunCreated,
    Start,
    Tick,
    Tokenize,
    Withdraw,
)
from catenary.model.run import Run, RunEvent, RunRefused
from catenary.simulation.network import Network
from catenary.simulation.unloaded import prompt_tokens


class Peers(Protocol):
    """The parts that a gateway sends to."""

    def to_router(self, gateway_id: str, message: Offer | Withdraw | Release) -> None: ...
    def to_worker(self, gateway_id: str, message: Start | Abort) -> None: ...
    def published(self, event: RunEvent) -> None: ...
    def refused(self, run_id: str, refusal: RunRefused) -> None: ...
    def ended(self, run: Run) -> None: ...
    def reported(self, report: ReportCall) -> None: ...


class SimGateway:
    """One gateway with its own clock and store connection."""

    def __init__(self, gateway_id: str, core: GatewayCore, network: Network, peers: Peers) -> None:
        self.gateway_id = gateway_id
        self.core = core
        self._network = network
        self._heap = network.heap
        self._peers = peers
        self._offset_s = network.offset_s(gateway_id)
        self._tick_at: float | None = None
        self._do: dict[type, Callable[[Any], None]] = {
            CreateRun: self._create,
            Refuse: lambda action: peers.refused(action.run_id, action.refusal),
            Tokenize: self._tokenize,
            Offer: lambda action: peers.to_router(gateway_id, action),
            Withdraw: lambda action: peers.to_router(gateway_id, action),
            Release: lambda action: peers.to_router(gateway_id, action),
            Start: lambda action: peers.to_worker(gateway_id, action),
            Abort: lambda action: peers.to_worker(gateway_id, action),
            Publish: lambda action: peers.published(action.event),
            EndRun: self._end,
            ReportCall: peers.reported,
        }

    @property
    def now(self) -> float:
        """What its clock shows."""
        return self._heap.now + self._offset_s

    def handle_all(self, events: Sequence[GatewayEvent]) -> None:
        """The events of one message."""
        now, handle, do = self._heap.now + self._offset_s, self.core.handle, self._do
        for event in events:
            for action in handle(event, now):
                do[type(action)](action)
        self._set_timer()

    def handle(self, event: GatewayEvent) -> None:
        self.handle_all((event,))

    def _create(self, action: CreateRun) -> None:
        self._peers.published(action.event)
        self._heap.after(self._network.store_s(), self.handle, RunCreated(action.run_id, 1))

    def _end(self, action: EndRun) -> None:
        self._peers.published(action.event)
        self._peers.ended(action.run)

    def _tokenize(self, action: Tokenize) -> None:
        ids = range(prompt_tokens(action.call))
        self._heap.after(0.0, self.handle, CallTokenized(action.run_id, action.call.ref, ids))

    def _set_timer(self) -> None:
        due = self.core.next_timer()
        if due is None:
            return
        due -= self._offset_s
        if self._tick_at is None or due < self._tick_at:
            self._tick_at = due
            self._heap.at(due, self._tick, due)

    def _tick(self, due: float) -> None:
        if due == self._tick_at:
            self._tick_at = None
            self.handle(Tick())
