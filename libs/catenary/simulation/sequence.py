"""A call inside an engine, and what is told of it."""

from __future__ import annotations

from collections.abc import Hashable
from math import inf

from catenary.model.record import record


@record(frozen=True, slots=True)
class FinishedCall:
    """One call that left the engine. Times are seconds; ``finish_s`` is a point on the engine's clock.

    ``queue_s``, ``ttft_s`` and ``duration_s`` count from the submission. ``mean_batch`` is the mean number of sequences
    per iteration while the call decoded. An aborted call that was never admitted has ``queue_s`` = ``duration_s``; one
    without a token has ``ttft_s`` = 0.
    """

    call_id: Hashable
    aborted: bool
    prompt_tokens: int
    output_tokens: int
    finish_s: float
    queue_s: float
    ttft_s: float
    duration_s: float
    mean_batch: float


@record(frozen=True, slots=True)
class StepResult:
    """What happened up to the time given to ``advance``: calls admitted to the batch and calls that finished."""

    started: list[Hashable]
    finished: list[FinishedCall]


class Sequence:
    """One call inside the engine."""

    __slots__ = (
        "admit_s",
        "arrive_s",
        "call_id",
        "computed",
        "first_s",
        "gone",
        "join_batches",
        "join_step",
        "output",
        "prompt",
    )

    def __init__(self, call_id: Hashable, prompt: int, output: int, arrive_s: float) -> None:
        self.call_id = call_id
        self.prompt = prompt
        self.output = output
        self.arrive_s = arrive_s
        self.admit_s = inf
        self.first_s = inf
        self.computed = 0  # prompt tokens in the KV cache
        self.join_step = -1  # iterations completed when it began to decode; -1: it does not decode yet
        self.join_batches = 0  # sum of batch sizes over those iterations
        self.gone = False

    def finished(self, end_s: float, tokens: int, batches: int, aborted: bool) -> FinishedCall:
        """Its end at ``end_s`` after ``tokens``; ``batches`` is the sum of batch sizes over all iterations so far."""
        return FinishedCall(
            call_id=self.call_id,
            aborted=aborted,
            prompt_tokens=self.prompt,
            output_tokens=tokens,
            finish_s=end_s,
            queue_s=min(self.admit_s, end_s) - self.arrive_s,
            ttft_s=self.first_s - self.arrive_s if tokens else 0.0,
            duration_s=end_s - self.arrive_s,
            mean_batch=(batches - self.join_batches) / tokens if tokens else 0.0,
        )
