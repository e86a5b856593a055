"""One engine of a simulated worker with the calls in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from catenary.core.gateway.events import CallEnded, CallProgressed, Start
from catenary.model.outcome import FinishReason
from catenary.model.profile import EngineProfile
from catenary.model.worker import ResidentCall
from catenary.simulation.engine import EngineModel
from catenary.simulation.sequence import FinishedCall


@dataclass(slots=True)
class HeldCall:
    """A call in the engine. ``text`` is the whole answer; ``sent`` counts the tokens its gateway has."""

    handle: int
    start: Start
    gateway_id: str
    text: str
    total_tokens: int
    sent: int

    def tokens_until(self, count: int) -> CallProgressed | None:
        if count <= self.sent:
            return None
        text = self.text[4 * self.sent : 4 * count]
        event = CallProgressed(self.start.call_id, self.start.attempt, self.sent, range(self.sent, count), text)
        self.sent = count
        return event

    def resident(self, count: int | None) -> ResidentCall:
        """``count``: tokens of this attempt, None while it waits in the engine."""
        start, prompt_tokens = self.start, len(self.start.prompt_token_ids)
        done = start.offset + (count or 0)
        return ResidentCall(start.call_id, start.attempt, start.router_epoch, done, prompt_tokens, count is not None)

    def ended(self, finished: FinishedCall) -> CallEnded:
        start = self.start
        whole = self.total_tokens < start.offset + start.sampling.max_tokens
        return CallEnded(
            start.call_id,
            start.attempt,
            FinishReason.STOP if whole else FinishReason.LENGTH,
            queue_s=finished.queue_s,
            prompt_tokens=finished.prompt_tokens,
            output_tokens=finished.output_tokens,
            mean_batch=finished.mean_batch,
            service_s=finished.duration_s - finished.queue_s,
        )


@dataclass(slots=True)
class SimReplica:
    """``next_at``: when the engine is looked at next."""

    model: str
    profile: EngineProfile
    lookahead: int
    engine: EngineModel
    held: dict[str, HeldCall] = field(default_factory=dict)
    next_at: float | None = None

    def residents(self) -> tuple[ResidentCall, ...]:
        running = dict(self.engine.progress())
        return tuple([held.resident(running.get(call_id)) for call_id, held in self.held.items()])

    def progress(self) -> Iterator[tuple[str, CallProgressed]]:
        """(gateway, tokens) of each call that has new ones."""
        for call_id, count in self.engine.progress():
            held = self.held.get(str(call_id))
            if held is not None and (tokens := held.tokens_until(held.start.offset + count)) is not None:
                yield held.gateway_id, tokens


class SimCalls:
    """What the worker's engine keeper asks about calls."""

    def __init__(self, replicas: Mapping[str, SimReplica]) -> None:
        self._replicas = replicas

    def __len__(self) -> int:
        return sum(len(replica.held) for replica in self._replicas.values())

    def num_held(self, model: str) -> int:
        return len(self._replicas[model].held)

    def end_all(self, model: str, reason: FinishReason, error: str) -> tuple[int, ...]:
        return tuple(held.handle for held in self._replicas[model].held.values())
