"""The exchange of backlogs with the other gateways, through the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from catenary.core.gateway.events import BacklogHeard, GatewayEvent
from catenary.model.backlog import Backlog
from catenary.runtime.store.backlogs import BacklogStore
from catenary.runtime.wire.backlog import backlog_from_proto, backlog_to_proto

INTERVAL_S = 0.25
TTL_S = 2.0


class BacklogExchange:
    """Publishes this gateway's backlog four times a second and hears the others'. While the store is out of reach,
    what was heard last counts until it expires in the core."""

    def __init__(self, redis: Redis, gateway_id: str, handle: Callable[[GatewayEvent], None]) -> None:
        self._store = BacklogStore(redis)
        self._gateway_id = gateway_id
        self._handle = handle
        self._others: set[str] = set()

    async def run(self, own: Callable[[], Backlog]) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                found = await self._store.exchange(self._gateway_id, backlog_to_proto(own()), TTL_S)
            except (RedisError, OSError, TimeoutError):
                continue
            for gateway_id in self._others - found.keys():
                self._handle(BacklogHeard(gateway_id, Backlog()))
            for gateway_id, message in found.items():
                self._handle(BacklogHeard(gateway_id, backlog_from_proto(message)))
            self._others = set(found)
