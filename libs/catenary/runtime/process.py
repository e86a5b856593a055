"""Child processes that never outlive their supervisor.

A child leads a session of its own, so that a terminal's Ctrl-C reaches the supervisor alone. It learns its parent's
process id (``CATENARY_PARENT``) and asks the kernel for SIGTERM at the parent's death. When a child has ended, for
whatever reason, everything that it started is ended as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from catenary.runtime.output import OutputLog
from catenary.runtime.scope import PARENT_VARIABLE, Scope
from catenary.runtime.tasks import cancel

READY_PREFIX = "ready "
_CHUNK_BYTES = 1 << 16
_LAST_OUTPUT_S = 1.0


class ChildError(Exception):
    """A child did not become ready; the text says why and holds its last lines of output."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. ``environment`` is added to the supervisor's; ``log`` None: output goes to standard error."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class PipeReader:
    stream: asyncio.StreamReader
    transport: asyncio.ReadTransport

    def close(self) -> None:
        self.transport.close()


class Child:
    """One running child process. Its owner ends it with ``stop`` or awaits its end with ``wait``."""

    def __init__(
        self, command: Command, scope: Scope, process: asyncio.subprocess.Process, reader: PipeReader, output: OutputLog
    ) -> None:
        self.name = command.name
        self._scope = scope
        self._process = process
        self._reader = reader
        self._output = output
        self._ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._pump_task = asyncio.create_task(self._pump(), name=f"output of {command.name}")
        self._end_task = asyncio.create_task(self._end(), name=f"end of {command.name}")

    @classmethod
    async def spawn(cls, command: Command, parent: Scope) -> Child:
        """Start ``command`` in a new scope below ``parent``.

        Raises:
            OSError: the program or the log file cannot be opened.
        """
        scope = parent.child(command.name)
        output = OutputLog(command.log)
        read_end, write_end = os.pipe()
        reader = await _pipe_reader(read_end)
        try:
            process = await asyncio.create_subprocess_exec(
                *command.arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                env={**os.environ, **command.environment, **scope.environment(), PARENT_VARIABLE: str(os.getpid())},
                start_new_session=True,
            )
        except BaseException:
            reader.close()
            output.close()
            raise
        finally:
            os.close(write_end)
        return cls(command, scope, process, reader, output)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._end_task.done()

    async def ready(self, timeout_s: float | None = None) -> str:
        """Wait for the line "ready <address>" and return the address.

        Raises:
            ChildError: the child ended first, or ``timeout_s`` passed; it runs on in the second case.
        """
        await asyncio.wait((self._ready, self._end_task), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if self._ready.done():
            return self._ready.result()
        if self._end_task.done():
            raise ChildError(f"{self.name} {self._end_task.result()}")
        raise ChildError(f"{self.name} is not ready after {timeout_s:g} s{self._where()}")

    async def wait(self) -> str:
        """Wait until the child and all that it started have ended; returns how it ended, for people."""
        return await asyncio.shield(self._end_task)

    async def stop(self, grace_s: float) -> str:
        """SIGTERM, at most ``grace_s`` seconds of waiting, then SIGKILL to all that is left; returns how it ended."""
        self._signal(signal.SIGTERM)
        done, _ = await asyncio.wait((self._end_task,), timeout=grace_s)
        if not done:
            await self.kill()
        return await self.wait()

    async def kill(self) -> str:
        """SIGKILL to the child and all that it started, at once; returns how it ended."""
        self._signal(signal.SIGKILL)
        return await self.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def _pump(self) -> None:
        while chunk := await self._reader.stream.read(_CHUNK_BYTES):
            for line in self._output.feed(chunk):
                if line.startswith(READY_PREFIX) and not self._ready.done():
                    self._ready.set_result(line.removeprefix(READY_PREFIX).strip())

    async def _end(self) -> str:
        returncode = await self._process.wait()
        await asyncio.to_thread(self._scope.kill, self._process.pid)
        await asyncio.wait((self._pump_task,), timeout=_LAST_OUTPUT_S)
        await cancel(self._pump_task)
        self._reader.close()
        self._output.close()
        return _described(returncode) + self._where()

    def _where(self) -> str:
        log = f" (log: {self._output.path})" if self._output.path else ""
        tail = self._output.tail()
        return f"{log}:\n{tail}" if tail else log


async def _pipe_reader(descriptor: int) -> PipeReader:
    """Reading end of a pipe. asyncio's own child pipes would tie the child's end to that of all who hold the pipe."""
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(descriptor, "rb", buffering=0)
    )
    return PipeReader(stream, transport)


def _described(returncode: int) -> str:
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    try:
        return f"was ended by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was ended by signal {-returncode}"
