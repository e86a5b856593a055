"""Runs in every phase of their life at one moment, as their clients see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from histories import History
from tracked_runs import workflow

from catenary.client import CallFinished, CallStarted, CallTokens, CatenaryError, Client, RunAdmitted, RunEventBody

TRIES = 60
PAUSE_S = 0.25


class Phase(StrEnum):
    SUBMITTING = "submitting"
    WAITING = "waiting for a place"
    STREAMING = "streaming"
    GOING_ON = "in the second half of its first call, or just after it"
    ENDING = "in the second half of its last call"


@dataclass(slots=True)
class Lived:
    """A run of two calls of ``tokens`` each, with the moments at which its client heard its events."""

    history: History
    begun_at: float
    tokens: int
    times: list[float] = field(default_factory=list)

    def phase_at(self, at: float) -> Phase | None:
        """None: it had not begun, or had ended."""
        if self.begun_at > at or (self.times and self.times[-1] <= at):
            return None
        seen = [event for (_, event), heard in zip(self.history.events, self.times, strict=True) if heard <= at]
        if not seen:
            return Phase.SUBMITTING
        match seen[-1]:
            case CallTokens(offset=offset) if offset < self.tokens / 2:
                return Phase.STREAMING
            case CallTokens() if _num_finished(seen):
                return Phase.ENDING
            case CallTokens() | CallFinished():
                return Phase.GOING_ON
            case RunAdmitted() | CallStarted():
                return Phase.WAITING
        return None


def _num_finished(events: Sequence[RunEventBody]) -> int:
    return sum(isinstance(event, CallFinished) for event in events)


async def live(client: Client, lived: Lived, spec: str) -> Lived:
    """One run from its submission, repeated until it is admitted, to its end."""
    for attempt in range(TRIES):
        try:
            handle = await client.submit(spec, run_id=lived.history.run_id, tokens=True)
            break
        except CatenaryError:
            if attempt == TRIES - 1:
                raise
            await asyncio.sleep(PAUSE_S)
    async for event in handle:
        lived.times.append(time.monotonic())
        lived.history.events.append((handle.sequence, event))
    return lived


async def begin_in_all_phases(client: Client, prefix: str) -> list[asyncio.Task[Lived]]:
    """Returns after a second: slow runs of about that length begun one after the other, then more of them than there
    are seats, and fast ones up to the last moment."""
    tasks: list[asyncio.Task[Lived]] = []

    def begin(model: str, tokens: int) -> None:
        lived = Lived(History(f"{prefix}-{len(tasks)}"), time.monotonic(), tokens)
        run = live(client, lived, workflow(model, tokens))
        tasks.append(asyncio.create_task(run, name=lived.history.run_id))

    for _ in range(8):
        begin("slow", 10)
        await asyncio.sleep(0.125)
    for _ in range(8):
        begin("slow", 10)
        begin("fast", 80)
    await asyncio.sleep(0.02)
    for _ in range(6):
        begin("fast", 20)
    return tasks


def phases(runs: Sequence[Lived], at: float) -> set[Phase]:
    return {phase for run in runs if (phase := run.phase_at(at)) is not None}
