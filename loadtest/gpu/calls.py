"""Runs of one call through the gateway, timed at the client."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from catenary.client import Client
from catenary.model.run import CallFinished, CallRecord, CallTokens, RunFinished, RunRefused

WORKFLOW = """
name: one-call
inputs: {{text: string}}
calls:
  call:
    model: {model}
    prompt: "{{{{ inputs.text }}}}"
    max_tokens: {tokens}
    min_tokens: {tokens}
    ignore_eos: true
    temperature: 0
output: "{{{{ call.text }}}}"
"""


def one_call(model: str, tokens: int) -> str:
    """A workflow of one call with exactly ``tokens`` tokens of output, greedy."""
    return WORKFLOW.format(model=model, tokens=tokens)


@dataclass(slots=True)
class Seen:
    """What a client saw of a run; times are seconds of time.monotonic()."""

    model: str
    submit: float = 0.0
    first: float = 0.0
    end: float = 0.0
    tokens: int = 0
    gaps: list[float] = field(default_factory=list)
    text: str = ""
    outcome: str = ""
    met: bool = False
    reason: str = ""
    restarts: int = 0
    record: CallRecord | None = None

    @property
    def ttft_s(self) -> float:
        return self.first - self.submit

    @property
    def longest_gap_s(self) -> float:
        return max(self.gaps, default=0.0)


async def run_call(client: Client, model: str, text: str, tokens: int, deadline_s: float | None = None) -> Seen:
    seen = Seen(model, submit=time.monotonic())
    last = 0.0
    async with await client.submit(
        one_call(model, tokens), {"text": text}, tokens=True, deadline_s=deadline_s
    ) as handle:
        async for event in handle:
            now = time.monotonic()
            match event:
                case CallTokens(num_tokens=count, text=part, offset=offset):
                    seen.first = seen.first or now
                    if last:
                        seen.gaps.append(now - last)
                    last = now
                    if offset != seen.tokens:
                        seen.restarts += 1
                    seen.tokens += count
                    seen.text += part
                case CallFinished(record=record):
                    seen.record = record
                case RunFinished(outcome=outcome, met=met, reason=reason):
                    seen.outcome, seen.met, seen.reason = outcome.value, met, reason
                case RunRefused(outcome=outcome, reason=reason):
                    seen.outcome, seen.reason = outcome.value, reason
                case _:
                    pass
    seen.end = time.monotonic()
    return seen
