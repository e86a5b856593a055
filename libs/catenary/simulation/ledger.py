"""What a client has seen of one run, and what in it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from catenary.model.outcome import Outcome
from catenary.model.run import (
    CallFinished,
    CallRecord,
    CallRestarted,
    CallStarted,
    CallTokens,
    Run,
    RunAdmitted,
    RunEvent,
    RunFinished,
)

ENDED_WELL = (Outcome.SUCCEEDED, Outcome.SKIPPED)


@dataclass(slots=True)
class RunLedger:
    """By call: the attempt under way, the tokens received and the outcome. ``take`` yields what is wrong."""

    sequence: int = 0
    over: bool = False
    attempts: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, Outcome | None] = field(default_factory=dict)

    def take(self, event: RunEvent) -> Iterator[str]:
        body = event.body
        if self.over:
            yield f"{type(body).__name__} after the end"
        if event.sequence:
            if event.sequence != self.sequence + 1:
                yield f"event {event.sequence} after {self.sequence}"
            self.sequence = event.sequence
        if isinstance(body, RunAdmitted) and self.sequence > 1:
            yield "admitted again"
        elif isinstance(body, CallStarted):
            yield from self._started(body)
        elif isinstance(body, CallTokens):
            yield from self._tokens(body)
        elif isinstance(body, CallRestarted):
            self.tokens[str(body.ref)] = 0
        elif isinstance(body, CallFinished):
            yield from self._finished(body.record)
        elif isinstance(body, RunFinished):
            self.over = True

    def close(self, run: Run) -> Iterator[str]:
        """The run's record against what the client saw."""
        if not self.over:
            yield "ended without RunFinished"
        if run.met and (run.outcome is not Outcome.SUCCEEDED or (run.deadline_s and run.e2e_s > run.deadline_s)):
            yield f"met with {run.outcome} after {run.e2e_s:.3f} of {run.deadline_s:.3f} s"
        for call in run.calls:
            seen = self.outcomes.get(str(call.ref), call.outcome)
            if seen is not call.outcome:
                yield f"{call.ref} was told as {seen} and is {call.outcome}"
            if call.attempts and call.outcome is None:
                yield f"{call.ref} has begun and has no outcome"
            if run.outcome is Outcome.SUCCEEDED and call.outcome not in (*ENDED_WELL, None):
                yield f"succeeded with {call.ref} {call.outcome}"

    def _started(self, body: CallStarted) -> Iterator[str]:
        name = str(body.ref)
        if name in self.outcomes:
            yield f"{name} starts after its end"
        if body.attempt <= self.attempts.get(name, 0):
            yield f"{name} starts attempt {body.attempt} after {self.attempts[name]}"
        self.attempts[name] = body.attempt

    def _tokens(self, body: CallTokens) -> Iterator[str]:
        name, have = str(body.ref), self.tokens.get(str(body.ref), 0)
        if body.attempt != self.attempts.get(name):
            yield f"{name} has tokens of attempt {body.attempt} in attempt {self.attempts.get(name)}"
        if body.offset != have or name in self.outcomes:
            yield f"{name} has tokens from {body.offset} after {have}"
        self.tokens[name] = have + body.num_tokens

    def _finished(self, record: CallRecord) -> Iterator[str]:
        name = str(record.ref)
        if name in self.outcomes:
            yield f"{name} ends {record.outcome} after {self.outcomes[name]}"
        self.outcomes[name] = record.outcome
        if record.outcome is None:
            yield f"{name} ends without an outcome"
        if record.outcome is Outcome.SUCCEEDED and record.output_tokens != self.tokens.get(name, 0):
            yield f"{name} has {record.output_tokens} tokens, of which {self.tokens.get(name, 0)} were sent"
