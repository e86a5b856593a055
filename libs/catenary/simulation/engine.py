"""A continuously batching engine as a state machine on an explicit clock: no threads, no timers, no dependencies."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from math import inf
from typing import TYPE_CHECKING

from catenary.simulation.finish_steps import FinishSteps
from catenary.simulation.prefill import compute_prompts
from catenary.simulation.segment import Segment
from catenary.simulation.sequence import FinishedCall, Sequence, StepResult
from catenary.simulation.waiting_line import WaitingLine

if TYPE_CHECKING:
    from catenary.model.profile import EngineProfile


class EngineModel:
    """Iterations of ``sum(prefill of newly admitted) + step_base_s + step_seq_s * batch + step_context_s * context``.

    Where the profile has a ``prefill_curve`` that, at the prompt tokens of the iteration, stands for the sum's part
    that is linear in them. Calls that come at once reach the engine ``submit_s`` apart.
    Every sequence of the batch gets one token at the end of an iteration. At most ``max_num_seqs`` run; the others
    wait in the order of (priority, arrival), lower first. A call is admitted at the start of an iteration, when a seat
    is free and the KV cache has room for its prompt and its whole output. With ``chunk_tokens`` an iteration computes
    at most that many tokens, decoding ones first, and long prompts are spread over several iterations.

    The clock is absolute: an iteration starts where the one before ended, however late ``advance`` is called.
    Iterations with the same batch are one segment whose ends have a closed form, so the cost is per call, not per
    iteration or token. ``submit`` and ``abort`` at ``now`` see the engine as it is just before ``now``: a call
    submitted at the very end of an iteration, before ``advance``, joins the next one.

    The profile's ``overhead_s`` and ``correction`` belong to predictions and are not part of the engine.
    """

    def __init__(self, profile: EngineProfile, chunk_tokens: int | None = None) -> None:
        if profile.max_num_seqs < 1:
            raise ValueError(f"max_num_seqs is {profile.max_num_seqs}; it must be at least 1")
        if chunk_tokens is not None and chunk_tokens < profile.max_num_seqs:
            raise ValueError(
                f"chunk_tokens is {chunk_tokens}; it must be at least max_num_seqs = {profile.max_num_seqs}"
            )
        self._profile = profile
        self._chunk = chunk_tokens
        self._seats = profile.max_num_seqs
        self._kv_capacity = profile.kv_capacity_tokens or inf
        self._live: dict[Hashable, Sequence] = {}
        self._running: dict[Hashable, Sequence] = {}
        self._prefilling: list[Sequence] = []
        self._removed: list[Sequence] = []  # aborted while in the batch; they leave it with the iteration's end
        self._waiting = WaitingLine(profile.submit_s)
        self._ends = FinishSteps()
        self._kv_reserved = 0
        self._context = 0  # tokens in the KV cache at the start of the segment
        self._steps = 0  # iterations completed before the segment
        self._batches = 0  # sum of batch sizes over those
        self._busy = False
        self._idle_start_s = 0.0
        self._paused_s: float | None = None
        self._started: list[Hashable] = []
        self._finished: list[FinishedCall] = []
        self._slowdown = 1.0
        self._segment = Segment()

    @property
    def num_running(self) -> int:
        return len(self._running)

    @property
    def num_waiting(self) -> int:
        return self._waiting.num_waiting

    @property
    def is_busy(self) -> bool:
        """It has calls and is not paused."""
        return self._paused_s is None and bool(self._live)

    @property
    def kv_cache_usage(self) -> float:
        """Share of the KV cache in use, 0..1; 0 where it is not bounded."""
        return (self._context + self._segment.decoding * self._segment.done) / self._kv_capacity

    def __contains__(self, call_id: Hashable) -> bool:
        return call_id in self._live

    def output_tokens(self, call_id: Hashable) -> int:
        """Tokens that a live call has produced up to the last ``advance``; KeyError where it is not live."""
        return self._tokens(self._live[call_id])

    def progress(self) -> list[tuple[Hashable, int]]:
        """(call, tokens produced up to the last ``advance``) of every call in the batch."""
        at = self._steps + self._segment.done
        return [
            (call_id, at - sequence.join_step if sequence.join_step >= 0 else 0)
            for call_id, sequence in self._running.items()
        ]

    def submit(self, call_id: Hashable, prompt_tokens: int, output_tokens: int, priority: float, now: float) -> None:
        """Queue a call that will produce exactly ``output_tokens`` tokens.

        Raises:
            ValueError: the call is live already, a count is not positive, or the KV cache could never hold it.
        """
        need = prompt_tokens + output_tokens
        if call_id in self._live:
            raise ValueError(f"call {call_id!r} is already in the engine")
        if prompt_tokens < 1 or output_tokens < 1:
            raise ValueError(
                f"call {call_id!r}: {prompt_tokens} prompt and {output_tokens} output tokens; at least 1 each"
            )
        if need > self._kv_capacity:
            raise ValueError(
                f"call {call_id!r} needs {need} tokens of KV cache; the engine has {self._kv_capacity:.0f}"
            )
        self._run(now, inclusive=False)
        sequence = Sequence(call_id, prompt_tokens, output_tokens, now)
        if not self._busy and not self._waiting.num_waiting:
            self._idle_start_s = now
        self._live[call_id] = sequence
        self._waiting.push(priority, sequence, now)

    def abort(self, call_id: Hashable, now: float) -> FinishedCall | None:
        """End a call at once; its seat is free from the next iteration. None where it is not in the engine any more."""
        self._run(now, inclusive=False)
        sequence = self._live.pop(call_id, None)
        if sequence is None:
            return None
        sequence.gone = True
        result = self._result(sequence, now, aborted=True)
        if self._running.pop(call_id, None) is None:
            self._waiting.leave()
        else:
            self._removed.append(sequence)
        return result

    def next_event(self, now: float) -> float | None:
        """When ``advance`` next has something to report or to decide; None: never, as things are."""
        return self._next(now, every_step=False)

    def next_step(self, now: float) -> float | None:
        """When the current iteration ends; for callers that stream tokens."""
        return self._next(now, every_step=True)

    def advance(self, now: float) -> StepResult:
        """Run up to and including ``now``; report what happened since the last report."""
        self._run(now, inclusive=True)
        result = StepResult(self._started, self._finished)
        if self._started:
            self._started = []
        if self._finished:
            self._finished = []
        return result

    def pause(self, now: float) -> None:
        """Freeze the engine, calls included, as a sleep that keeps them does."""
        if self._paused_s is None:
            self._run(now, inclusive=True)
            self._paused_s = now

    def resume(self, now: float) -> None:
        """Go on where ``pause`` stopped: every later end moves by the time away."""
        if self._paused_s is None:
            return
        paused_s, self._paused_s = self._paused_s, None
        self._segment.base_s += now - paused_s
        self._idle_start_s = max(self._idle_start_s, now)
        for sequence in self._running.values():
            if sequence.first_s > paused_s:
                sequence.first_s += now - paused_s

    def slow_down(self, factor: float, now: float) -> None:
        """From ``now`` on, in the midst of an iteration too, all takes ``factor`` times the profile's time."""
        self._run(now, inclusive=True)
        ratio, self._slowdown = factor / self._slowdown, factor
        if self._busy:
            at = now if self._paused_s is None else self._paused_s
            for sequence in self._running.values():
                if sequence.first_s > at:
                    sequence.first_s = at + (sequence.first_s - at) * ratio
            self._segment.stretch(ratio, at)

    def _next(self, now: float, every_step: bool) -> float | None:
        if self._finished or self._started:
            return now
        if self._paused_s is not None:
            return None
        if self._busy:
            return self._segment.end_s(self._segment.done + 1 if every_step else self._change())
        return self._waiting.begin_s(self._idle_start_s) if self._waiting.num_waiting else None

    def _run(self, now: float, inclusive: bool) -> None:
        """Complete every iteration that ends before ``now``, or at it where ``inclusive``."""
        if self._paused_s is not None:
            return
        while True:
            if not self._busy:
                if not self._waiting.num_waiting:
                    return
                start = self._waiting.begin_s(self._idle_start_s)
                if start > now or (start == now and not inclusive):
                    return
                self._begin(start)
                continue
            change = self._change()
            end = self._segment.end_s(change)
            if end > now or (end == now and not inclusive):
                break
            self._complete(change, end)
        if self._segment.done + 1 < change:
            self._segment.done = self._segment.completed(now, inclusive, change)

    def _change(self) -> int:
        """The iteration of the segment after which the batch may change."""
        has_seat = self._waiting.num_waiting and len(self._running) < self._seats
        if self._removed or self._waiting.is_arriving or (has_seat and self._head_fits()):
            return self._segment.done + 1
        return self._segment.length

    def _head_fits(self) -> bool:
        head = self._waiting.head()
        return head is not None and self._kv_reserved + head.prompt + head.output <= self._kv_capacity

    def _tokens(self, sequence: Sequence) -> int:
        return self._steps + self._segment.done - sequence.join_step if sequence.join_step >= 0 else 0

    def _complete(self, k: int, end: float) -> None:
        """End the segment after its ``k``-th iteration and begin the next one at once."""
        segment = self._segment
        self._steps += k
        self._batches += segment.batch * k
        self._context += segment.decoding * k
        segment.done = segment.batch = segment.decoding = 0
        if self._removed:
            for sequence in self._removed:
                self._leave(sequence)
            self._removed.clear()
            self._prefilling = [sequence for sequence in self._prefilling if not sequence.gone]
        for sequence in self._ends.due(self._steps):
            self._finish(sequence, end)
        self._busy = False
        self._idle_start_s = end
        if self._running or (self._waiting.num_waiting and self._waiting.begin_s(end) <= end):
            self._begin(end)

    def _finish(self, sequence: Sequence, end: float) -> None:
        sequence.gone = True
        self._finished.append(self._result(sequence, end, aborted=False))
        del self._live[sequence.call_id], self._running[sequence.call_id]
        self._leave(sequence)

    def _leave(self, sequence: Sequence) -> None:
        self._context -= sequence.computed + self._tokens(sequence)
        self._kv_reserved -= sequence.prompt + sequence.output

    def _result(self, sequence: Sequence, end: float, aborted: bool) -> FinishedCall:
        batches = self._batches + self._segment.batch * self._segment.done
        return sequence.finished(end, self._tokens(sequence), batches, aborted)

    def _begin(self, start: float) -> None:
        """Admit what has room and lay out the segment that starts at ``start``."""
        profile, segment = self._profile, self._segment
        self._waiting.arrive(start)
        batch = len(self._running) - len(self._prefilling)
        budget = inf if self._chunk is None else self._chunk - batch
        joined, prefill_s, num_tokens, num_partial = compute_prompts(profile, self._candidates(start), budget)
        self._context += num_tokens
        self._prefilling = [s for s in self._running.values() if s.computed < s.prompt] if self._chunk else []
        self._busy = True
        segment.batch = batch + len(joined) + num_partial
        segment.decoding = len(self._running) - len(self._prefilling)
        segment.base_s = start + prefill_s * self._slowdown
        segment.linear_s = profile.step_s(segment.batch, self._context) * self._slowdown
        segment.growth_s = profile.step_context_s * segment.decoding * self._slowdown
        for sequence in joined:
            self._join(sequence)
        segment.length = 1 if self._prefilling else self._ends.first() - self._steps

    def _candidates(self, start: float) -> Iterator[Sequence]:
        """Prompts to compute: those begun earlier, then waiting ones, admitted as they are yielded."""
        yield from self._prefilling
        while self._waiting.num_waiting and len(self._running) < self._seats and self._head_fits():
            sequence = self._waiting.pop()
            sequence.admit_s = start
            self._running[sequence.call_id] = sequence
            self._kv_reserved += sequence.prompt + sequence.output
            self._started.append(sequence.call_id)
            yield sequence

    def _join(self, sequence: Sequence) -> None:
        sequence.join_step = self._steps
        sequence.join_batches = self._batches
        sequence.first_s = self._segment.end_s(1)
        self._ends.push(self._steps + sequence.output, sequence)
