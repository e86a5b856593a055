"""A continuously batching engine as a state machine on an explicit clock: no threads, no timers, no dependencies."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf, sqrt
from typing import TYPE_CHECKING

from catenary.model.prefill_curve import seconds_at

if TYPE_CHECKING:
    from catenary.model.profile import EngineProfile


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class StepResult:
    """What happened up to the time given to ``advance``: calls admitted to the batch and calls that finished."""

    started: list[Hashable]
    finished: list[FinishedCall]


class _Sequence:
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


class EngineModel:
    """Iterations of ``sum(prefill of newly admitted) + step_base_s + step_seq_s * batch + step_context_s * context``.

    Where the profile has a ``prefill_curve`` that stands for the sum, at the prompt tokens of the iteration.
    Every sequence of the batch gets one token at the end of an iteration. At most ``max_num_seqs`` run; the others
    wait in the order of (priority, arrival), lower first. A call is admitted at the start of an iteration, when a seat
    is free and the KV cache has room for its prompt and its whole output. With ``chunk_tokens`` an iteration computes
    at most that many tokens, decoding ones first, and long prompts are spread over several iterations.

    The clock is absolute: an iteration starts where the one before ended, however late ``advance`` is called.
    Iterations with the same batch are one segment whose ends have a closed form, so the cost is per call, not per
    iteration or token. ``submit`` and ``abort`` at ``now`` see the engine as it is just before ``now``: a call
    submitted at the very end of an iteration, before ``advance``, joins the next one.

    The profile's ``overhead_s``, ``submit_s`` and ``correction`` belong to predictions and are not part of the engine.
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
        self._live: dict[Hashable, _Sequence] = {}
        self._running: dict[Hashable, _Sequence] = {}
        self._prefilling: list[_Sequence] = []
        self._removed: list[_Sequence] = []  # aborted while in the batch; they leave it with the iteration's end
        self._waiting: list[tuple[float, int, _Sequence]] = []
        self._ends: list[tuple[int, int, _Sequence]] = []  # (iteration at which it finishes, order, sequence)
        self._order = 0
        self._num_waiting = 0
        self._kv_reserved = 0
        self._context = 0  # tokens in the KV cache at the start of the segment
        self._steps = 0  # iterations completed before the segment
        self._batches = 0  # sum of batch sizes over those
        self._busy = False
        self._idle_start_s = 0.0
        self._paused_s: float | None = None
        self._started: list[Hashable] = []
        self._finished: list[FinishedCall] = []
        # The segment: `_length` iterations of the same batch, `_done` of them completed.
        self._slowdown = 1.0
        self._base_s = 0.0
        self._linear_s = 0.0
        self._growth_s = 0.0
        self._batch = 0
        self._decoding = 0
        self._length = 0
        self._done = 0

    @property
    def num_running(self) -> int:
        return len(self._running)

    @property
    def num_waiting(self) -> int:
        return self._num_waiting

    @property
    def kv_cache_usage(self) -> float:
        """Share of the KV cache in use, 0..1; 0 where it is not bounded."""
        return (self._context + self._decoding * self._done) / self._kv_capacity

    @property
    def kv_free_tokens(self) -> float:
        """Tokens not yet promised to an admitted call; infinite where the cache is not bounded."""
        return self._kv_capacity - self._kv_reserved

    def __contains__(self, call_id: Hashable) -> bool:
        return call_id in self._live

    def output_tokens(self, call_id: Hashable) -> int:
        """Tokens that a live call has produced up to the last ``advance``; KeyError where it is not live."""
        return self._tokens(self._live[call_id])

    def progress(self) -> Iterator[tuple[Hashable, int]]:
        """(call, tokens produced up to the last ``advance``) of every call in the batch."""
        at = self._steps + self._done
        for call_id, sequence in self._running.items():
            yield call_id, (at - sequence.join_step if sequence.join_step >= 0 else 0)

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
        sequence = _Sequence(call_id, prompt_tokens, output_tokens, now)
        if not self._busy and not self._num_waiting:
            self._idle_start_s = now
        self._live[call_id] = sequence
        self._order += 1
        self._num_waiting += 1
        heappush(self._waiting, (priority, self._order, sequence))

    def abort(self, call_id: Hashable, now: float) -> FinishedCall | None:
        """End a call at once; its seat is free from the next iteration. None where it is not in the engine any more."""
        self._run(now, inclusive=False)
        sequence = self._live.pop(call_id, None)
        if sequence is None:
            return None
        sequence.gone = True
        result = self._result(sequence, now, aborted=True)
        if self._running.pop(call_id, None) is None:
            self._num_waiting -= 1
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
        self._base_s += now - paused_s
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
            self._base_s = at + (self._base_s - at) * ratio
            self._linear_s *= ratio
            self._growth_s *= ratio

    def _next(self, now: float, every_step: bool) -> float | None:
        if self._finished or self._started:
            return now
        if self._paused_s is not None:
            return None
        if self._busy:
            return self._end_s(self._done + 1 if every_step else self._change())
        return self._idle_start_s if self._num_waiting else None

    def _run(self, now: float, inclusive: bool) -> None:
        """Complete every iteration that ends before ``now``, or at it where ``inclusive``."""
        if self._paused_s is not None:
            return
        while True:
            if not self._busy:
                start = self._idle_start_s
                if not self._num_waiting or start > now or (start == now and not inclusive):
                    return
                self._begin(start)
                continue
            change = self._change()
            end = self._end_s(change)
            if end > now or (end == now and not inclusive):
                break
            self._complete(change, end)
        if self._done + 1 < change:
            self._done = self._completed(now, inclusive, change)

    def _change(self) -> int:
        """The iteration of the segment after which the batch may change."""
        if self._removed or (self._num_waiting and len(self._running) < self._seats and self._head_fits()):
            return self._done + 1
        return self._length

    def _head_fits(self) -> bool:
        head = self._head()
        return head is not None and self._kv_reserved + head.prompt + head.output <= self._kv_capacity

    def _head(self) -> _Sequence | None:
        waiting = self._waiting
        while waiting and waiting[0][2].gone:
            heappop(waiting)
        return waiting[0][2] if waiting else None

    def _end_s(self, k: int) -> float:
        return self._base_s + k * self._linear_s + self._growth_s * (k * (k - 1) // 2)

    def _completed(self, now: float, inclusive: bool, change: int) -> int:
        """How many iterations of the segment have ended at ``now``; fewer than ``change``."""
        left = now - self._base_s
        half = self._growth_s / 2
        linear = self._linear_s - half
        if half > 0:
            k = int((sqrt(linear * linear + 4 * half * max(left, 0.0)) - linear) / (2 * half))
        elif linear > 0:
            k = int(left / linear)
        else:
            return self._done
        k = max(self._done, min(k, change - 1))
        while k > self._done and not self._ended(k, now, inclusive):
            k -= 1
        while k + 1 < change and self._ended(k + 1, now, inclusive):
            k += 1
        return k

    def _ended(self, k: int, now: float, inclusive: bool) -> bool:
        end = self._end_s(k)
        return end < now or (inclusive and end == now)

    def _tokens(self, sequence: _Sequence) -> int:
        return self._steps + self._done - sequence.join_step if sequence.join_step >= 0 else 0

    def _complete(self, k: int, end: float) -> None:
        """End the segment after its ``k``-th iteration and begin the next one at once."""
        self._steps += k
        self._batches += self._batch * k
        self._context += self._decoding * k
        self._done = 0
        self._batch = self._decoding = 0
        if self._removed:
            for sequence in self._removed:
                self._leave(sequence)
            self._removed.clear()
            self._prefilling = [sequence for sequence in self._prefilling if not sequence.gone]
        ends = self._ends
        while ends and (ends[0][2].gone or ends[0][0] <= self._steps):
            sequence = heappop(ends)[2]
            if not sequence.gone:
                self._finish(sequence, end)
        self._busy = False
        if self._running or self._num_waiting:
            self._begin(end)

    def _finish(self, sequence: _Sequence, end: float) -> None:
        sequence.gone = True
        self._finished.append(self._result(sequence, end, aborted=False))
        del self._live[sequence.call_id], self._running[sequence.call_id]
        self._leave(sequence)

    def _leave(self, sequence: _Sequence) -> None:
        self._context -= sequence.computed + self._tokens(sequence)
        self._kv_reserved -= sequence.prompt + sequence.output

    def _result(self, sequence: _Sequence, end: float, aborted: bool) -> FinishedCall:
        tokens = self._tokens(sequence)
        arrive = sequence.arrive_s
        batches = self._batches + self._batch * self._done - sequence.join_batches
        return FinishedCall(
            call_id=sequence.call_id,
            aborted=aborted,
            prompt_tokens=sequence.prompt,
            output_tokens=tokens,
            finish_s=end,
            queue_s=min(sequence.admit_s, end) - arrive,
            ttft_s=sequence.first_s - arrive if tokens else 0.0,
            duration_s=end - arrive,
            mean_batch=batches / tokens if tokens else 0.0,
        )

    def _begin(self, start: float) -> None:
        """Admit what has room and lay out the segment that starts at ``start``."""
        profile = self._profile
        batch = len(self._running) - len(self._prefilling)
        joined, prefill_s, num_partial = self._prefill(start, inf if self._chunk is None else self._chunk - batch)
        self._busy = True
        self._batch = batch + len(joined) + num_partial
        self._decoding = len(self._running) - len(self._prefilling)
        self._base_s = start + prefill_s * self._slowdown
        self._linear_s = profile.step_s(self._batch, self._context) * self._slowdown
        self._growth_s = profile.step_context_s * self._decoding * self._slowdown
        for sequence in joined:
            self._join(sequence)
        self._length = 1 if self._prefilling else self._next_end()

    def _prefill(self, start: float, budget: float) -> tuple[list[_Sequence], float, int]:
        """Compute prompts within ``budget`` tokens: those completed, the seconds it takes, how many stay partial."""
        joined: list[_Sequence] = []
        prefill_s, num_partial, num_tokens = 0.0, 0, 0
        queue = self._candidates(start)
        while budget > 0 and (sequence := next(queue, None)):
            take = int(min(sequence.prompt - sequence.computed, budget))
            prefill_s += self._prefill_s(sequence.computed, take)
            num_tokens += take
            sequence.computed += take
            self._context += take
            budget -= take
            if sequence.computed == sequence.prompt:
                joined.append(sequence)
            else:
                num_partial += 1
        self._prefilling = [s for s in self._running.values() if s.computed < s.prompt] if self._chunk else []
        if self._profile.prefill_curve:
            prefill_s += seconds_at(self._profile.prefill_curve, num_tokens)
        return joined, prefill_s, num_partial

    def _candidates(self, start: float) -> Iterator[_Sequence]:
        """Prompts to compute: those begun earlier, then waiting ones, admitted as they are yielded."""
        yield from self._prefilling
        while self._num_waiting and len(self._running) < self._seats and self._head_fits():
            sequence = heappop(self._waiting)[2]
            sequence.admit_s = start
            self._num_waiting -= 1
            self._running[sequence.call_id] = sequence
            self._kv_reserved += sequence.prompt + sequence.output
            self._started.append(sequence.call_id)
            yield sequence

    def _prefill_s(self, computed: int, take: int) -> float:
        """Of the curve's kind, what it does not hold: the attention of ``take`` tokens to those computed before."""
        profile = self._profile
        if profile.prefill_curve:
            return profile.prefill_token2_s * take * 2 * computed
        base = profile.prefill_base_s if computed == 0 else 0.0
        return base + profile.prefill_token_s * take + profile.prefill_token2_s * take * (2 * computed + take)

    def _join(self, sequence: _Sequence) -> None:
        sequence.join_step = self._steps
        sequence.join_batches = self._batches
        sequence.first_s = self._end_s(1)
        self._order += 1
        heappush(self._ends, (self._steps + sequence.output, self._order, sequence))

    def _next_end(self) -> int:
        ends = self._ends
        while ends[0][2].gone:
            heappop(ends)
        return ends[0][0] - self._steps
