"""Items put one by one in a loop turn, taken together."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class OutboxFull(Exception):
    """The reader is too slow: ``limit`` items wait already."""


class OutboxClosed(Exception):
    """Nothing can be put any more."""


class Outbox(Generic[T]):
    """A bounded queue with one reader that yields lists: everything put since the last one.

    ``async for batch in outbox`` ends after ``close`` once the rest is out.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"limit: must be at least 1, is {limit}")
        self._limit = limit
        self._items: list[T] = []
        self._closed = False
        self._waiter: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._items)

    @property
    def closed(self) -> bool:
        return self._closed

    def put(self, item: T) -> None:
        """Queue ``item``.

        Raises:
            OutboxFull: ``limit`` items wait; this one is not queued.
            OutboxClosed: ``close`` was called.
        """
        if self._closed:
            raise OutboxClosed("the outbox is closed")
        if len(self._items) >= self._limit:
            raise OutboxFull(f"{self._limit} items wait in the outbox, its limit; its reader is too slow or gone")
        self._items.append(item)
        self._wake()

    def close(self) -> None:
        self._closed = True
        self._wake()

    def __aiter__(self) -> Outbox[T]:
        return self

    async def __anext__(self) -> list[T]:
        while not self._items:
            if self._closed:
                raise StopAsyncIteration
            if self._waiter is not None:
                raise RuntimeError("an outbox has one reader")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        batch, self._items = self._items, []
        return batch

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
