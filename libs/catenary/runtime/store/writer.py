"""Writes to the store: those of one loop turn go out in one pipeline."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog
from hiredis import pack_command
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, OutOfMemoryError, RedisError, ResponseError

from catenary.runtime.store.errors import StoreBehind, StoreError, StoreFull, StoreUnavailable
from catenary.runtime.store.script import Argument, Script

T = TypeVar("T")

_MIN_BACKOFF_S = 0.05
_MAX_BACKOFF_S = 1.0
_PING_INTERVAL_S = 1.0


@dataclass(slots=True)
class _Command:
    """``sent`` on a connection that broke means that its effect is unknown."""

    parts: tuple[Argument, ...]
    script: Script | None
    future: asyncio.Future[Any]
    deadline_s: float
    parse: Callable[[Any], Any] | None = None
    sent: bool = False


class StoreWriter:
    """One connection, one pipeline in flight; what is submitted meanwhile forms the next one, in order.

    A command waits at most ``timeout_s`` for its answer. One that was not sent when the connection broke waits for the
    next connection; one that was sent fails at once with StoreUnavailable, for its effect is unknown.
    """

    def __init__(self, redis: Redis, timeout_s: float = 5.0, limit: int = 100_000, max_batch: int = 512) -> None:
        self._pool = redis.connection_pool
        self._timeout_s = timeout_s
        self._limit = limit
        self._max_batch = max_batch
        self._queue: deque[_Command] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._connection: AbstractConnection | None = None
        self._loaded: set[str] = set()
        self._closing = False
        self.connected = False
        self.num_pipelines = 0
        self.num_commands = 0

    def start(self) -> None:
        """Begin to connect; ``connected`` tells when that is done, and whenever it is lost again."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="store-writer")

    async def close(self) -> None:
        """Send what waits, at most ``timeout_s`` long, then disconnect."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
            self._task = None
        self._fail_all("the writer is closed")

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def submit(self, *command: Argument) -> asyncio.Future[Any]:
        """Queue a command for this loop turn's pipeline; the future has its answer or a StoreError."""
        return self._put(command)

    def submit_script(
        self, script: Script, keys: Sequence[str], *args: Argument, parse: Callable[[Any], T]
    ) -> asyncio.Future[T]:
        """Queue a call of ``script``, loaded first where the server lacks it; the future has ``parse(answer)``, or the
        StoreError that ``parse`` raises."""
        return self._put(("EVALSHA", script.sha, len(keys), *keys, *args), script, parse)

    def _put(
        self,
        parts: tuple[Argument, ...],
        script: Script | None = None,
        parse: Callable[[Any], Any] | None = None,
    ) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if self._closing:
            future.set_exception(StoreUnavailable("the writer is closed"))
        elif len(self._queue) >= self._limit:
            future.set_exception(StoreUnavailable(f"{self._limit} writes wait for the store, the writer's limit"))
        else:
            self._queue.append(_Command(parts, script, future, loop.time() + self._timeout_s, parse))
            self._wake.set()
            self.start()
        return future

    async def _run(self) -> None:
        backoff_s = _MIN_BACKOFF_S
        while not (self._closing and not self._queue):
            try:
                await self._connect()
                backoff_s = _MIN_BACKOFF_S
                await self._flush_until_closed()
            except (RedisError, OSError, TimeoutError) as error:
                await self._disconnect(error)
                self._expire(error)
                await self._pause(backoff_s)
                backoff_s = min(2 * backoff_s, _MAX_BACKOFF_S)
        await self._disconnect(None)

    async def _connect(self) -> None:
        async with asyncio.timeout(self._timeout_s):
            self._connection = self._pool.make_connection()
            await self._connection.connect()
        self._connection.socket_timeout = None  # every exchange has one timeout of its own
        await self._ping()
        self._loaded.clear()
        self.connected = True

    async def _disconnect(self, error: Exception | None) -> None:
        if self.connected and error is not None:
            structlog.get_logger().warning("store unreachable", error=str(error))
        self.connected = False
        if self._connection is not None:
            await self._connection.disconnect(nowait=True)
            self._connection = None

    async def _pause(self, seconds: float) -> None:
        next_deadline = self._queue[0].deadline_s - asyncio.get_running_loop().time() if self._queue else seconds
        await asyncio.sleep(max(0.0, min(seconds, next_deadline)))

    async def _flush_until_closed(self) -> None:
        while True:
            if not self._queue:
                if self._closing:
                    return
                await self._wait_or_ping()
                continue
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._max_batch))]
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._exchange(batch)
            except BaseException as error:
                self._after_failure(batch, error)
                raise

    async def _wait_or_ping(self) -> None:
        """Return when something is queued. An idle connection is tried every second, so that ``connected`` holds."""
        self._wake.clear()
        try:
            async with asyncio.timeout(_PING_INTERVAL_S):
                await self._wake.wait()
        except TimeoutError:
            await self._ping()

    async def _ping(self) -> None:
        assert self._connection is not None
        async with asyncio.timeout(self._timeout_s):
            await self._connection.send_command("PING", check_health=False)
            await self._connection.read_response()

    async def _exchange(self, batch: list[_Command]) -> None:
        assert self._connection is not None
        sources = {c.script.sha: c.script for c in batch if c.script is not None and c.script.sha not in self._loaded}
        loads: list[tuple[Argument, ...]] = [("SCRIPT", "LOAD", script.source) for script in sources.values()]
        parts = [*loads, *(command.parts for command in batch)]
        packed = [pack_command(command) for command in parts]  # type: ignore[arg-type]  # its stub: a tuple of one
        for command in batch:
            command.sent = True
        await self._connection.send_packed_command(packed, check_health=False)
        for _ in loads:
            await self._connection.read_response()
        self._loaded.update(sources)
        missing = []
        for command in batch:
            try:
                _resolve(command, await self._connection.read_response())
            except NoScriptError:
                missing.append(command)
            except ResponseError as error:
                _fail(command.future, _translated(error))
        self.num_pipelines += 1
        self.num_commands += len(batch)
        if missing:
            self._loaded.clear()
            await self._exchange(missing)

    def _after_failure(self, batch: list[_Command], error: BaseException) -> None:
        for command in reversed(batch):
            if command.sent:
                _fail(command.future, StoreUnavailable(f"the store gave no answer: {error}"))
            else:
                self._queue.appendleft(command)

    def _expire(self, error: Exception) -> None:
        now = asyncio.get_running_loop().time()
        while self._queue and (self._queue[0].deadline_s <= now or self._closing):
            _fail(self._queue.popleft().future, StoreUnavailable(f"the store is unreachable: {error}"))

    def _fail_all(self, reason: str) -> None:
        while self._queue:
            _fail(self._queue.popleft().future, StoreUnavailable(reason))


def _translated(error: ResponseError) -> StoreError:
    if isinstance(error, OutOfMemoryError):
        return StoreFull(f"the store's memory limit is reached: {error}")
    text = str(error)
    if text.startswith("BEHIND"):
        return StoreBehind(text)
    if text.startswith("MISCONF"):
        return StoreFull(f"the store cannot write to its disk: {text}")
    return StoreError(text)


def _resolve(command: _Command, reply: Any) -> None:
    if command.future.done():
        return
    try:
        command.future.set_result(reply if command.parse is None else command.parse(reply))
    except StoreError as error:
        _fail(command.future, error)


def _fail(future: asyncio.Future[Any], error: StoreError) -> None:
    """Reading the exception once keeps asyncio quiet about callers that do not wait for their writes."""
    if not future.done():
        future.set_exception(error)
        future.exception()
