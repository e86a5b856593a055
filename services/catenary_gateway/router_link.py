"""The gateway's one stream to the active router."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import grpc
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from catenary.core.gateway.events import (
    CallAssigned,
    CallRejected,
    GatewayEvent,
    Offer,
    PoolsReported,
    Release,
    RouterJoined,
    Withdraw,
)
from catenary.runtime.bell import crowd_gap_s
from catenary.runtime.clock import from_remaining_us, now
from catenary.runtime.outbox import Outbox, OutboxClosed, OutboxFull
from catenary.runtime.rpc import channel
from catenary.runtime.store.lease import Lease
from catenary.runtime.wire.dispatch import offer_to_proto, pool_from_proto
from catenary.runtime.wire.enums import outcome_from_proto
from catenary.v1 import dispatch_pb2, router_service_pb2_grpc

LEASE = "router"
RETRY_S = 0.1
OUTBOX_LIMIT = 200_000

Item = Offer | Withdraw | Release


class RouterLink:
    """Finds the router by its lease and stays with it. What is put while no router is there is dropped: the core
    offers every unplaced call again when one joins."""

    def __init__(
        self,
        redis: Redis,
        gateway_id: str,
        handle: Callable[[GatewayEvent], None],
        traceparent: Callable[[str], str],
    ) -> None:
        self._redis = redis
        self._gateway_id = gateway_id
        self._handle = handle
        self._traceparent = traceparent
        self._outbox: Outbox[Item] | None = None
        self._offered: set[str] = set()
        self._log = structlog.get_logger()
        self.connected = False

    def put(self, item: Item) -> None:
        if self._outbox is None or not self.connected:
            return
        if isinstance(item, Offer):
            self._offered.add(item.call.call_id)
        else:
            self._offered.discard(item.call_id)
        self._outbox.spread(crowd_gap_s(len(self._offered)))
        try:
            self._outbox.put(item)
        except (OutboxFull, OutboxClosed):
            self._outbox.close()

    async def run(self) -> None:
        while True:
            try:
                info = await Lease.read(self._redis, LEASE)
                if info is not None:
                    await self._stay_with(info.address)
            except (RedisError, OSError, TimeoutError) as error:
                self._log.warning("store unreachable", error=str(error))
            except grpc.RpcError as error:
                self._log.info("router stream ended", error=str(error.code()))
            finally:
                self.connected = False
            await asyncio.sleep(RETRY_S)

    async def _stay_with(self, address: str) -> None:
        outbox: Outbox[Item] = Outbox(OUTBOX_LIMIT)
        self._outbox = outbox
        self._offered.clear()
        async with channel(address) as connection:
            stub = router_service_pb2_grpc.RouterServiceStub(connection)
            try:
                async for response in stub.DispatchCalls(self._requests(outbox)):
                    self._take(response)
            finally:
                outbox.close()

    async def _requests(self, outbox: Outbox[Item]) -> AsyncIterator[dispatch_pb2.DispatchCallsRequest]:
        yield dispatch_pb2.DispatchCallsRequest(gateway_id=self._gateway_id)
        async for items in outbox:
            yield self._to_request(items)

    def _to_request(self, items: list[Item]) -> dispatch_pb2.DispatchCallsRequest:
        sent_at = now()
        request = dispatch_pb2.DispatchCallsRequest()
        for item in items:
            if isinstance(item, Offer):
                call = item.call
                request.offers.append(offer_to_proto(call, sent_at, self._traceparent(call.call_id)))
            elif isinstance(item, Release):
                request.releases.add(call_id=item.call_id, attempt=item.attempt, output_tokens=item.output_tokens)
            else:
                request.withdrawals.add(call_id=item.call_id, attempt=item.attempt)
        return request

    def _take(self, response: dispatch_pb2.DispatchCallsResponse) -> None:
        received_at = now()
        if response.pools:
            self._handle(PoolsReported([pool_from_proto(pool) for pool in response.pools]))
        if not self.connected:
            self.connected = True
            self._handle(RouterJoined())
        for assigned in response.assignments:
            self._handle(
                CallAssigned(
                    assigned.call_id,
                    assigned.attempt,
                    assigned.worker_id,
                    assigned.worker_address,
                    from_remaining_us(assigned.latest_start_us, received_at),
                    response.epoch,
                    assigned.reason,
                )
            )
        for rejected in response.rejections:
            self._offered.discard(rejected.call_id)
            outcome = outcome_from_proto(rejected.outcome)
            self._handle(CallRejected(rejected.call_id, rejected.attempt, outcome, rejected.reason))
