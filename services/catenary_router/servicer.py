"""The router on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from catenary.core.router import GatewayLeft, Offered, Released, Withdrawn
from catenary.core.router.waiting import waiting_by_slack
from catenary.runtime.clock import now
from catenary.runtime.rpc import abort
from catenary.runtime.wire.dispatch import offer_from_proto, pool_to_proto, waiting_to_proto
from catenary.runtime.wire.worker import worker_to_proto
from catenary.v1 import dispatch_pb2, router_service_pb2, router_service_pb2_grpc
from catenary_router.gateways import to_response
from catenary_router.shell import Router

Context = grpc.aio.ServicerContext[Any, Any]


class RouterServicer(router_service_pb2_grpc.RouterServiceServicer):
    """Parses, hands to the shell, answers."""

    def __init__(self, shell: Router) -> None:
        self._shell = shell

    async def DispatchCalls(
        self, request_iterator: AsyncIterator[dispatch_pb2.DispatchCallsRequest], context: Context
    ) -> AsyncIterator[dispatch_pb2.DispatchCallsResponse]:
        first = await anext(request_iterator, None)
        if first is None:
            return
        epoch = self._shell.epoch
        if epoch is None:
            await abort(context, grpc.StatusCode.UNAVAILABLE, "this router is a standby", "NOT_ACTIVE")
        if not first.gateway_id:
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "gateway_id: is empty", "INVALID_ARGUMENT")
        gateway_id = first.gateway_id
        outbox = self._shell.gateways.join(gateway_id)
        self._shell.tell_pools()
        self._take(first, gateway_id)
        reader = asyncio.create_task(self._read(request_iterator, gateway_id), name=f"gateway {gateway_id}")
        reader.add_done_callback(lambda _: outbox.close())
        try:
            yield dispatch_pb2.DispatchCallsResponse(epoch=epoch)
            async for items in outbox:
                yield to_response(items, epoch)
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            if self._shell.gateways.leave(gateway_id, outbox):
                self._shell.handle(GatewayLeft(gateway_id))

    async def _read(self, requests: AsyncIterator[dispatch_pb2.DispatchCallsRequest], gateway_id: str) -> None:
        async for request in requests:
            self._take(request, gateway_id)

    def _take(self, request: dispatch_pb2.DispatchCallsRequest, gateway_id: str) -> None:
        received_at = now()
        handle = self._shell.handle
        for release in request.releases:
            handle(Released(release.call_id, release.attempt, release.output_tokens))
        for withdrawal in request.withdrawals:
            handle(Withdrawn(withdrawal.call_id, withdrawal.attempt))
        for offer in request.offers:
            handle(Offered(offer_from_proto(offer, gateway_id, received_at)))

    async def GetPools(
        self, request: router_service_pb2.GetPoolsRequest, context: Context
    ) -> router_service_pb2.GetPoolsResponse:
        core, at = self._shell.core, now()
        return router_service_pb2.GetPoolsResponse(
            active=self._shell.epoch is not None,
            epoch=self._shell.epoch or 0,
            pools=[pool_to_proto(state) for state in core.pool_states(at)] if core else [],
            workers=[worker_to_proto(worker) for worker in core.workers.values()] if core else [],
            waiting=[waiting_to_proto(waiting_by_slack(pool, at)) for pool in core.pools.values()] if core else [],
        )
