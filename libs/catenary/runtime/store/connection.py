"""Connections to Redis or Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

_CONNECT_TIMEOUT_S = 2.0
_ANSWER_TIMEOUT_S = 5.0
_MAX_CONNECTIONS = 16
_RETRY_S = 0.2


class _Client(Redis):
    """A command or pipeline that is cancelled raises. The client writes within ``asyncio.wait_for``, which before
    Python 3.12 drops a cancellation that comes as the write ends: the task would go on for ever, and so would whoever
    waits for its end."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        answer = super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        return await _heeding_cancel(answer)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return _Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class _Pipeline(Pipeline):
    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        answers: list[Any] = await _heeding_cancel(super().execute(raise_on_error))
        return answers


async def _heeding_cancel(work: Awaitable[Any]) -> Any:
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    answer = await work
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return answer


async def answers(redis: Redis) -> None:
    """Wait until the store answers, and say so once where it does not."""
    told = False
    while True:
        try:
            await redis.ping()
            return
        except (RedisError, OSError, TimeoutError) as error:
            if not told:
                structlog.get_logger().warning("waits for the store", error=str(error))
            told = True
        await asyncio.sleep(_RETRY_S)


def connect(url: str) -> Redis:
    """A client for ``redis://``, ``rediss://`` or ``unix://``; it connects on first use.

    At most 16 connections. Nothing is retried, so that no command is silently sent twice.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_MAX_CONNECTIONS,
        timeout=_ANSWER_TIMEOUT_S,
        socket_connect_timeout=_CONNECT_TIMEOUT_S,
        socket_timeout=_ANSWER_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    return _Client.from_pool(pool)
