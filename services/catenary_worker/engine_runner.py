"""Does to the engines what the core wants, one task per action, and tells the core how it went."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from catenary.core.worker import WorkerCore
from catenary.core.worker.events import (
    AbortCalls,
    CommandDone,
    Drained,
    SleepEngine,
    SnapshotChanged,
    StartEngine,
    StopEngine,
    WakeEngine,
    WorkerAction,
)
from catenary.runtime.clock import now
from catenary.runtime.tasks import cancel
from catenary_worker.calls import CallExchange
from catenary_worker.engine import Engine, EngineEnd, EngineError


class CommandRefused(Exception):
    """A command that does not fit the state of its replica, or that failed; the text says why."""


class EngineRunner:
    """Owns the engines. ``drained`` is set once no call is left on a worker that is going away."""

    def __init__(
        self, core: WorkerCore, engines: dict[str, Engine], make: Callable[[str], Engine], changed: Callable[[], None]
    ) -> None:
        """``engines`` is filled as they start; ``make`` gives a new one for a model; ``changed`` sends a snapshot."""
        self.drained = asyncio.Event()
        self.calls = CallExchange(core, engines, self.perform)
        self._core = core
        self._engines = engines
        self._make = make
        self._changed = changed
        self._tasks: set[asyncio.Task[None]] = set()
        self._command_ids = itertools.count(1)
        self._commands: dict[int, asyncio.Future[str]] = {}
        self._log = structlog.get_logger()

    async def issue(self, ask: Callable[[int], list[WorkerAction]]) -> None:
        """Give the core a command under a new id and wait until it is done. Raises CommandRefused."""
        command_id = next(self._command_ids)
        done = self._commands[command_id] = asyncio.get_running_loop().create_future()
        try:
            self.perform(ask(command_id))
            error = await done
        finally:
            del self._commands[command_id]
        if error:
            raise CommandRefused(error)

    def perform(self, actions: list[WorkerAction]) -> None:
        for action in actions:
            match action:
                case AbortCalls(handles=handles):
                    self._abort(handles)
                case SnapshotChanged():
                    self._changed()
                case CommandDone(command_id=command_id, error=error):
                    if (done := self._commands.get(command_id)) is not None and not done.done():
                        done.set_result(error)
                case Drained():
                    self.drained.set()
                case StartEngine(model=model):
                    self._spawn(self._start(model))
                case StopEngine(model=model):
                    self._spawn(self._stop(model))
                case SleepEngine(model=model, level=level, freeze=freeze):
                    self._spawn(self._sleep(model, level, freeze))
                case WakeEngine(model=model):
                    self._spawn(self._wake(model))

    async def stop(self) -> None:
        """End every engine, those that are starting included."""
        await cancel(*self._tasks)
        await asyncio.gather(*(engine.stop() for engine in self._engines.values()))
        self._engines.clear()

    def _abort(self, handles: Sequence[int]) -> None:
        for handle in handles:
            if (engine := self.calls.engine_of(handle)) is not None:
                engine.abort(handle)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self, model: str) -> None:
        engine = self._engines[model] = self._make(model)
        began = now()
        self._log.info("engine starts", model=model)
        try:
            facts = await engine.start(_Listener(self, model))
        except EngineError as error:
            await self._died(model, str(error))
            return
        self._log.info("engine is up", model=model, start_s=round(now() - began, 2))
        self.perform(self._core.engines.engine_ready(model, facts, now()))

    async def _stop(self, model: str) -> None:
        await self._engines.pop(model).stop()
        self._log.info("engine stopped", model=model)
        self.perform(self._core.engines.engine_stopped(model, now()))

    async def _sleep(self, model: str, level: int, freeze: bool) -> None:
        error = await _error_of(self._engines[model].sleep(level, freeze))
        self.perform(self._core.engines.engine_slept(model, error, now()))

    async def _wake(self, model: str) -> None:
        error = await _error_of(self._engines[model].wake())
        self.perform(self._core.engines.engine_woke(model, error, now()))

    async def _died(self, model: str, error: str) -> None:
        self._log.error("engine died", model=model, error=error)
        engine = self._engines.pop(model, None)
        if engine is not None:
            await engine.stop()
        self.calls.lose(model, error)
        self.perform(self._core.engines.engine_failed(model, error, now()))

    def engine_failed(self, model: str, error: str) -> None:
        if model in self._engines:
            self._spawn(self._died(model, error))


class _Listener:
    """EngineListener of one engine."""

    def __init__(self, runner: EngineRunner, model: str) -> None:
        self._runner = runner
        self._model = model
        self.running = runner.calls.running
        self.delta = runner.calls.delta

    def ended(self, handle: int, end: EngineEnd) -> None:
        self._runner.calls.ended(handle, end)

    def failed(self, error: str) -> None:
        self._runner.engine_failed(self._model, error)


async def _error_of(work: Coroutine[Any, Any, None]) -> str:
    try:
        await work
    except EngineError as error:
        return str(error)
    return ""
