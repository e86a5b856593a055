"""Who watches which run, and what they have been told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from catenary.runtime.bell import client_gap_s
from catenary.runtime.outbox import Outbox, OutboxClosed, OutboxFull
from catenary.v1 import run_pb2

MAX_WAITING = 10_000
LAST_EVENTS = ("run_finished", "run_refused")


def _alone() -> float:
    return client_gap_s(1)


def _is_first_token(event: run_pb2.RunEvent) -> bool:
    return event.HasField("call_tokens") and not event.call_tokens.offset


class ReaderTooSlow(Exception):
    """A watcher did not read in time; the run goes on without it."""


class Subscription:
    """One watcher of one run. ``next`` gives what came together, until the last event; within ``gap_s()`` seconds after
    that, events wait for each other, unless a call begins to speak."""

    def __init__(self, limit: int, stream_tokens: bool, gap_s: Callable[[], float]) -> None:
        self._outbox: Outbox[run_pb2.RunEvent] = Outbox(limit, yields=True)
        self._gap_s = gap_s
        self._overrun = False
        self.stream_tokens = stream_tokens

    def put(self, event: run_pb2.RunEvent) -> None:
        self._outbox.spread(self._gap_s())
        try:
            self._outbox.put(event, urgent=_is_first_token(event))
        except OutboxFull:
            self._overrun = True
            self._outbox.close()
        except OutboxClosed:
            return

    def close(self) -> None:
        self._outbox.close()

    async def next(self) -> list[run_pb2.RunEvent]:
        """What has come since, nothing after the last event. Raises ReaderTooSlow once more events wait than the bound
        allows."""
        batch = await self._outbox.next()
        if self._overrun:
            raise ReaderTooSlow
        return batch


@dataclass(slots=True)
class Feed:
    """The events of one active run and its watchers, who hear of a numbered event once it is stored.

    Tokens overtake numbered events on their way to the store, except for one that voids earlier text. ``detached``: a
    client asked that the run go on without any. ``left_at``: when the last stream ended.
    """

    events: list[run_pb2.RunEvent] = field(default_factory=list)
    subscriptions: set[Subscription] = field(default_factory=set)
    closed: bool = False
    detached: bool = False
    left_at: float = 0.0
    _waiting: deque[run_pb2.RunEvent] = field(default_factory=deque)
    _num_voiding: int = 0

    @property
    def ended(self) -> bool:
        """The last event that a run can have is out."""
        return bool(self.events) and self.events[-1].WhichOneof("event") in LAST_EVENTS

    @property
    def wants_tokens(self) -> bool:
        return any(subscription.stream_tokens for subscription in self.subscriptions)

    def subscribe(
        self, limit: int, stream_tokens: bool, after_sequence: int = 0, gap_s: Callable[[], float] = _alone
    ) -> Subscription:
        missed = self.events[after_sequence:]
        subscription = Subscription(limit + len(missed), stream_tokens, gap_s)
        for event in missed:
            subscription.put(event)
        if self.closed:
            subscription.close()
        else:
            self.subscriptions.add(subscription)
        return subscription

    def hold(self, event: run_pb2.RunEvent) -> None:
        """Keep a numbered event until ``release`` says that it is stored."""
        self._waiting.append(event)
        self._num_voiding += event.HasField("call_restarted")

    def release(self, last_stored: int) -> None:
        """Publish what is numbered up to ``last_stored``, and the tokens that waited behind it."""
        while self._waiting and self._waiting[0].sequence <= last_stored:
            event = self._waiting.popleft()
            self._num_voiding -= event.HasField("call_restarted")
            if event.sequence:
                self.publish(event)
            else:
                self._publish_tokens(event)

    def publish(self, event: run_pb2.RunEvent) -> None:
        self.events.append(event)
        for subscription in self.subscriptions:
            subscription.put(event)

    def publish_tokens(self, event: run_pb2.RunEvent) -> None:
        """Beyond ``MAX_WAITING`` waiting events tokens are dropped; readers find them in the finished call."""
        if not self._num_voiding:
            self._publish_tokens(event)
        elif len(self._waiting) < MAX_WAITING:
            self._waiting.append(event)

    def _publish_tokens(self, event: run_pb2.RunEvent) -> None:
        for subscription in self.subscriptions:
            if subscription.stream_tokens:
                subscription.put(event)

    def close(self) -> None:
        self.closed = True
        for subscription in self.subscriptions:
            subscription.close()
        self.subscriptions.clear()
