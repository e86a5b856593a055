"""Items put one by one in a loop turn, taken together."""

from __future__ import annotations

from typing import Generic, TypeVar

from catenary.runtime.bell import Bell

T = TypeVar("T")


class OutboxFull(Exception):
    """The reader is too slow: ``limit`` items wait already."""


class OutboxClosed(Exception):
    """Nothing can be put any more."""


class Outbox(Generic[T]):
    """A bounded queue with one reader that yields lists: everything put since the last one.

    ``async for batch in outbox`` ends after ``close`` once the rest is out. Lists follow each other ``gap_s`` seconds
    apart or more, except for the last one and those with an urgent item. A reader that ``yields`` goes behind others of
    the same loop turn.
    """

    def __init__(self, limit: int, gap_s: float = 0.0, *, yields: bool = False) -> None:
        if limit < 1:
            raise ValueError(f"limit: must be at least 1, is {limit}")
        self._limit = limit
        self._items: list[T] = []
        self._closed = False
        self._bell = Bell(gap_s, yields=yields)

    def __len__(self) -> int:
        return len(self._items)

    def spread(self, gap_s: float) -> None:
        """Lists follow each other ``gap_s`` seconds apart from now on."""
        self._bell.gap_s = gap_s

    @property
    def closed(self) -> bool:
        return self._closed

    def put(self, item: T, *, urgent: bool = False) -> None:
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
        self._bell.ring(urgent)

    def close(self) -> None:
        self._closed = True
        self._bell.ring(urgent=True)

    def __aiter__(self) -> Outbox[T]:
        return self

    async def __anext__(self) -> list[T]:
        batch = await self.next()
        if not batch:
            raise StopAsyncIteration
        return batch

    async def next(self) -> list[T]:
        """The next list; an empty one at the end."""
        if not self._closed:
            await self._bell.wait()
        batch, self._items = self._items, []
        return batch
