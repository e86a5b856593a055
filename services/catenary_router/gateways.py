"""The connected gateways: what comes for each within a moment goes out as one message."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from catenary.core.router import Assign, Reject, RouterAction
from catenary.model.dispatch import PoolState
from catenary.runtime.bell import crowd_gap_s
from catenary.runtime.clock import now
from catenary.runtime.outbox import Outbox, OutboxClosed, OutboxFull
from catenary.runtime.wire.dispatch import assignment_to_proto, pool_to_proto, rejection_to_proto
from catenary.v1 import dispatch_pb2

OUTBOX_LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class Pools:
    states: tuple[PoolState, ...]


Item = Assign | Reject | Pools


class Gateways:
    """Outboxes by gateway. A gateway that does not read loses its stream, and with it its place in the queues."""

    def __init__(self) -> None:
        self._outboxes: dict[str, Outbox[Item]] = {}

    def join(self, gateway_id: str) -> Outbox[Item]:
        """A new stream of a gateway replaces its older one."""
        self.close(gateway_id)
        outbox = self._outboxes[gateway_id] = Outbox(OUTBOX_LIMIT)
        return outbox

    def leave(self, gateway_id: str, outbox: Outbox[Item]) -> bool:
        """True where this was still the gateway's stream."""
        if self._outboxes.get(gateway_id) is not outbox:
            return False
        del self._outboxes[gateway_id]
        return True

    def close(self, gateway_id: str) -> None:
        outbox = self._outboxes.pop(gateway_id, None)
        if outbox is not None:
            outbox.close()

    def close_all(self) -> None:
        for gateway_id in list(self._outboxes):
            self.close(gateway_id)

    def send(self, actions: Iterable[RouterAction], num_calls: int = 0) -> None:
        """``num_calls``: those that wait or are placed."""
        for action in actions:
            self._put(action.call.gateway_id, action, crowd_gap_s(num_calls))

    def publish(self, states: tuple[PoolState, ...]) -> None:
        for gateway_id in list(self._outboxes):
            self._put(gateway_id, Pools(states))

    def _put(self, gateway_id: str, item: Item, gap_s: float = 0.0) -> None:
        outbox = self._outboxes.get(gateway_id)
        if outbox is None:
            return
        outbox.spread(gap_s)
        try:
            outbox.put(item)
        except (OutboxFull, OutboxClosed):
            self.close(gateway_id)


def to_response(items: Iterable[Item], epoch: int) -> dispatch_pb2.DispatchCallsResponse:
    sent_at = now()
    response = dispatch_pb2.DispatchCallsResponse(epoch=epoch)
    for item in items:
        if isinstance(item, Assign):
            response.assignments.append(assignment_to_proto(item, sent_at))
        elif isinstance(item, Reject):
            response.rejections.append(rejection_to_proto(item))
        else:
            del response.pools[:]
            response.pools.extend(pool_to_proto(state) for state in item.states)
    return response
