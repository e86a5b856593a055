"""The router's core on the virtual clock: what gateways and workers send it, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from catenary.core.gateway.events import (
    CallAssigned,
    CallRejected,
    GatewayEvent,
    Offer,
    PoolsReported,
    Release,
    Withdraw,
)
from catenary.core.router import (
    Assign,
    Offered,
    Reject,
    Released,
    RouterCore,
    RouterEvent,
    SnapshotArrived,
    Tick,
    Withdrawn,
)
from catenary.model.dispatch import QueuedCall
from catenary.model.worker import Worker
from catenary.simulation.gateway import SimGateway
from catenary.simulation.network import Network

ROUTER = "router"
ROUTER_EPOCH = 1
ROUTER_TICK_S = 0.02


class SimRouter:
    """The router with its own clock. ``on_assign`` hears of each assignment before its gateway does."""

    def __init__(
        self,
        core: RouterCore,
        network: Network,
        gateways: Mapping[str, SimGateway],
        on_assign: Callable[[Assign], None],
    ) -> None:
        self.core = core
        self._network = network
        self._heap = network.heap
        self._gateways = gateways
        self._on_assign = on_assign
        self._offset_s = network.offset_s(ROUTER)

    def introduce(self, worker: Worker) -> None:
        """What it knows of a worker before the first run arrives."""
        self.core.handle(SnapshotArrived(worker), self._offset_s)

    def send(self, gateway_id: str, message: Offer | Withdraw | Release) -> None:
        """A gateway's message sets out."""
        event: RouterEvent
        if isinstance(message, Offer):
            event = Offered(_anchored(message, self._offset_s - self._network.offset_s(gateway_id)))
        elif isinstance(message, Release):
            event = Released(message.call_id, message.attempt, message.output_tokens)
        else:
            event = Withdrawn(message.call_id, message.attempt)
        self._heap.at(self._network.arrival(f"{gateway_id}>router", self._network.hop_s()), self.handle, event)

    def handle(self, event: RouterEvent) -> None:
        for action in self.core.handle(event, self._heap.now + self._offset_s):
            if isinstance(action, Assign):
                self._on_assign(action)
            gateway_id = action.call.gateway_id
            at = self._network.arrival(f"router>{gateway_id}", self._network.hop_s())
            self._heap.at(at, self._gateways[gateway_id].handle, self._answer(action))

    def tick(self) -> None:
        """From now on it looks at its queues without being asked."""
        self.handle(Tick())
        self._heap.after(ROUTER_TICK_S, self.tick)

    def report_pools(self) -> None:
        """Its pools set out for every gateway."""
        states = self.core.pool_states(self._heap.now + self._offset_s)
        for gateway in self._gateways.values():
            at = self._network.arrival(f"router>{gateway.gateway_id}", self._network.hop_s())
            self._heap.at(at, gateway.handle, PoolsReported(states))

    def show_pools(self) -> None:
        """Every gateway knows the pools at once."""
        states = self.core.pool_states(self._offset_s)
        for gateway in self._gateways.values():
            gateway.handle(PoolsReported(states))

    def _answer(self, action: Assign | Reject) -> GatewayEvent:
        call = action.call
        if isinstance(action, Reject):
            return CallRejected(call.call_id, call.attempt, action.outcome, action.reason)
        shift_s = self._network.offset_s(call.gateway_id) - self._offset_s
        return CallAssigned(
            call.call_id,
            call.attempt,
            action.worker_id,
            action.worker_address,
            action.latest_start + shift_s,
            ROUTER_EPOCH,
            action.reason,
        )


def _anchored(message: Offer, shift_s: float) -> QueuedCall:
    call = message.call
    if not shift_s:
        return call
    return replace(
        call,
        ready_at=call.ready_at + shift_s,
        latest_finish=call.latest_finish + shift_s,
        lost_finish=call.lost_finish + shift_s,
        deadline=call.deadline + shift_s,
    )
