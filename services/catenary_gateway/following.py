"""The events of a run for one reader: from this gateway's memory, from its owner, or from the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NoReturn

import grpc
from redis.exceptions import RedisError

from catenary.runtime.bell import client_gap_s
from catenary.runtime.rpc import abort, error_info
from catenary.runtime.store.errors import StoreError
from catenary.runtime.store.runs import StoredRun
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import run_pb2
from catenary_gateway.feeds import Feed, ReaderTooSlow
from catenary_gateway.peers import was_forwarded
from catenary_gateway.refusals import Context, owner_lost, unavailable, unknown_run
from catenary_gateway.shell import Gateway

MAX_SEQUENCE = 2**62

Events = Sequence[run_pb2.RunEvent]


class Follower:
    def __init__(self, shell: Gateway) -> None:
        self._shell = shell

    async def own(
        self, feed: Feed, request: pb.WatchRunRequest, context: Context, send: Callable[[Events], Awaitable[None]]
    ) -> None:
        """Send the events of a run of this gateway after ``after_sequence``, which moves on to the last one."""
        limit = self._shell.config.gateway.event_buffer
        subscription = feed.subscribe(limit, request.stream_tokens, request.after_sequence, self._gap_s)
        try:
            while events := await subscription.next():
                await send(events)
            request.after_sequence = max(request.after_sequence, len(feed.events))
        except ReaderTooSlow:
            self._shell.metrics.too_slow.inc()
            reason = f"more than {limit} events of {request.run_id} wait for this reader; go on with WatchRun"
            await abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, reason, "READER_TOO_SLOW")
        finally:
            feed.subscriptions.discard(subscription)

    def _gap_s(self) -> float:
        return client_gap_s(len(self._shell.contexts))

    async def elsewhere(self, request: pb.WatchRunRequest, context: Context) -> AsyncIterator[Events]:
        """Events of a run that this gateway does not drive: all stored ones where it has ended, else its owner's."""
        stored = await self.stored(request.run_id, context)
        if stored is None:
            await unknown_run(context, request.run_id)
        if stored.final:
            if events := await self._stored_events(request, context):
                yield events
            return
        address = await self.owner_address(stored, context)
        try:
            async for batch in self._shell.peers.watch(address, request):
                yield batch
        except grpc.aio.AioRpcError as error:
            await pass_on(context, request.run_id, error)

    async def stored(self, run_id: str, context: Context) -> StoredRun | None:
        try:
            return await self._shell.store.get(run_id)
        except (RedisError, StoreError, OSError) as error:
            await unavailable(context, error)

    async def owner_address(self, stored: StoredRun, context: Context) -> str:
        """Where the run's owner serves; refuses with OWNER_LOST where it is gone, or is no other gateway."""
        if was_forwarded(context) or stored.owner == self._shell.ownership.owner:
            await owner_lost(context, stored.run_id)
        try:
            address = await self._shell.ownership.address_of(stored.owner)
        except (RedisError, OSError) as error:
            await unavailable(context, error)
        if address is None:
            await owner_lost(context, stored.run_id)
        return address

    async def _stored_events(self, request: pb.WatchRunRequest, context: Context) -> Events:
        try:
            after = min(request.after_sequence, MAX_SEQUENCE)
            events = await self._shell.store.events(request.run_id, after)
        except (RedisError, StoreError, OSError) as error:
            await unavailable(context, error)
        return [run_pb2.RunEvent.FromString(event) for event in events]


async def pass_on(context: Context, run_id: str, error: grpc.aio.AioRpcError) -> NoReturn:
    """Refuse as the owner did; one that does not answer is lost."""
    code, message, reason, metadata = error_info(error)
    if not reason:
        await owner_lost(context, run_id)
    await abort(context, code, message, reason, metadata)
