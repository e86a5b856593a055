"""A TCP proxy that can delay, hold back and cut what passes through it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65_536


class TcpProxy:
    """Listens on ``address`` (port 0: any) and connects to ``target``, host:port or the path of a Unix socket."""

    def __init__(self, target: str, address: str = "127.0.0.1:0") -> None:
        self._target = target
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._delay_s = 0.0
        self._refuses = False
        self._passes = asyncio.Event()
        self._passes.set()

    @property
    def address(self) -> str:
        return f"{self._host}:{self._port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self._cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def cut(self, seconds: float) -> None:
        """Reset every connection and refuse new ones for so long."""
        self._refuses = True
        self._cut()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._refuses = False

    async def stall(self, seconds: float) -> None:
        """Let nothing pass for so long; nobody is told."""
        self._passes.clear()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._passes.set()

    async def slow(self, seconds: float, delay_s: float) -> None:
        """Pass everything on ``delay_s`` later, for so long."""
        self._delay_s = delay_s
        try:
            await asyncio.sleep(seconds)
        finally:
            self._delay_s = 0.0

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._kept(writer):
            if self._refuses:
                return
            try:
                far_reader, far_writer = await self._connect()
            except OSError:
                return
            async with self._kept(far_writer):
                pumps = [
                    asyncio.create_task(self._pump(reader, far_writer)),
                    asyncio.create_task(self._pump(far_reader, writer)),
                ]
                try:
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pump in pumps:
                        pump.cancel()
                    await asyncio.gather(*pumps, return_exceptions=True)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._target.startswith("/"):
            return await asyncio.open_unix_connection(self._target)
        host, _, port = self._target.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    @asynccontextmanager
    async def _kept(self, writer: asyncio.StreamWriter) -> AsyncIterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                await self._passes.wait()
                writer.write(data)
                await writer.drain()
