"""Connections to Redis or Valkey."""

from __future__ import annotations

import asyncio

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

_CONNECT_TIMEOUT_S = 2.0
_ANSWER_TIMEOUT_S = 5.0
_MAX_CONNECTIONS = 16
_RETRY_S = 0.2


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
    return Redis.from_pool(pool)
