"""The port to an inference engine: what the worker asks of one and what it hears from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from catenary.core.worker.events import EngineFacts, EngineStats
from catenary.model.outcome import FinishReason
from catenary.model.workflow import Sampling


class EngineError(Exception):
    """An engine cannot do what it was asked: it does not start, sleep or wake. The text is for people."""


@dataclass(frozen=True, slots=True)
class EngineCall:
    """A call for an engine. ``handle`` names it; ``latest_start`` on the worker's clock orders waiting calls.

    ``offset`` output tokens were delivered by earlier attempts and are the end of ``prompt``.
    """

    handle: int
    call_id: str
    prompt: Sequence[int]
    sampling: Sampling
    latest_start: float
    offset: int = 0
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class EngineEnd:
    """How a call ended in the engine. Times are seconds from ``submit``."""

    reason: FinishReason
    error: str = ""
    queue_s: float = 0.0
    ttft_s: float = 0.0
    duration_s: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    mean_batch: float = 0.0


class EngineListener(Protocol):
    """Hears of calls on the event loop; none of its methods blocks or awaits."""

    def running(self, handle: int) -> None:
        """The engine has begun to work on the call."""

    def delta(self, handle: int, token_ids: Sequence[int], text: str) -> None:
        """New tokens; the text may lag behind them while a character or a stop string is incomplete."""

    def ended(self, handle: int, end: EngineEnd) -> None:
        """The last word on a call; every submitted call gets exactly one."""

    def failed(self, error: str) -> None:
        """The engine has died by itself. Its calls end with ERROR."""


class Engine(Protocol):
    """One engine. ``start`` is awaited once, before anything else."""

    async def start(self, listener: EngineListener) -> EngineFacts:
        """Bring the engine up; takes seconds to minutes and leaves the event loop free. Raises EngineError."""
        ...

    def submit(self, call: EngineCall) -> None: ...

    def abort(self, handle: int) -> None:
        """End a call soon with ABORTED; nothing where it has ended."""
        ...

    def stats(self) -> EngineStats: ...

    async def sleep(self, level: int, freeze: bool) -> None:
        """Free the accelerator's memory. ``freeze`` keeps running calls for ``wake``. Raises EngineError."""
        ...

    async def wake(self) -> None:
        """Raises EngineError."""
        ...

    async def stop(self) -> None:
        """End the engine and every process of it, also one that is still starting; its calls end with ABORTED."""
        ...
