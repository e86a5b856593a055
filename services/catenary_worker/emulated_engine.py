"""An engine that takes the time of a profile and says "tok0 tok1 ...": for tests, load tests and demonstrations."""

from __future__ import annotations

import asyncio
import math
import random
import zlib
from dataclasses import dataclass
from typing import cast

from catenary.core.worker.events import EngineFacts, EngineStats
from catenary.model.outcome import FinishReason
from catenary.model.profile import EngineProfile
from catenary.model.worker import DROPPED
from catenary.runtime.clock import now
from catenary.runtime.word_tokenizer import asks_for_mark, requested_crash, requested_output_tokens, word_id
from catenary.simulation.engine import EngineModel
from catenary.simulation.sequence import FinishedCall
from catenary.simulation.sharing import SharedAccelerator
from catenary_worker.emulated_weights import EmulatedWeights
from catenary_worker.engine import EngineCall, EngineEnd, EngineListener

MARK = "mark"
OUTPUT_SIGMA = 0.6  # of the lognormal that output lengths are drawn from


@dataclass(frozen=True, slots=True)
class EmulatedSettings:
    """``max_model_len`` and the output's median ``output_tokens`` in tokens; ``seed`` varies the drawn lengths."""

    profile: EngineProfile
    max_model_len: int
    output_tokens: int
    chunk_tokens: int | None = None
    seed: int = 0


@dataclass(slots=True)
class _Live:
    call: EngineCall
    reason: FinishReason
    reported: int = 0


class EmulatedEngine:
    """EngineModel on the monotonic clock.

    A call's output length is ``max_tokens`` where ``ignore_eos`` or ``min_tokens`` fixes it; else the number in a word
    ``#out=123`` among the first tokens of a WordTokenizer's prompt; else drawn from a lognormal seeded by the call's
    id, so that a repeated call has the same length. Stop strings and JSON schemas have no effect. The text of the n-th
    token is "tok<n> ", continued where an earlier attempt stopped; ``#out=123!`` asks for "mark " as the first. A word
    ``#crash=5`` in a prompt ends the engine behind the call's fifth token, whichever attempt it is.
    """

    def __init__(
        self, settings: EmulatedSettings, accelerator: Card | None = None, weights: EmulatedWeights | None = None
    ) -> None:
        """``accelerator`` and ``weights``: those that it shares with other engines of its worker."""
        self._accelerator: Card = accelerator or SharedAccelerator()
        self._weights = weights or EmulatedWeights()
        self._settings = settings
        self._model = EngineModel(settings.profile, settings.chunk_tokens)
        self._live: dict[int, _Live] = {}
        self._words = _Words()
        self._mark_id = word_id(MARK)
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for: float | None = None
        self._slept_before = False
        self._level = 0

    async def start(self, listener: EngineListener) -> EngineFacts:
        self._listener = listener
        profile = self._settings.profile
        await asyncio.sleep(profile.start_s + self._weights.reading_s(profile))
        self._weights.read(profile.model)
        return EngineFacts(self._settings.max_model_len, profile.weights_bytes, profile.kv_capacity_tokens)

    def slow_down(self, factor: float) -> None:
        """From now on all takes ``factor`` times the profile's time."""
        self._model.slow_down(factor, now())
        self._rearm()

    def submit(self, call: EngineCall) -> None:
        length, reason = self._output_length(call)
        try:
            self._model.submit(call.handle, len(call.prompt), length, call.latest_start, now())
        except ValueError as error:
            self._listener.ended(call.handle, EngineEnd(FinishReason.INVALID, str(error)))
            return
        self._live[call.handle] = _Live(call, reason)
        self._arm()

    def abort(self, handle: int) -> None:
        finished = self._model.abort(handle, now())
        if finished is not None:
            self._end(finished)
        self._arm()

    def stats(self) -> EngineStats:
        model = self._model
        return EngineStats(model.num_running, model.num_waiting, model.kv_cache_usage)

    async def sleep(self, level: int, freeze: bool) -> None:
        self._model.pause(now())
        self._level = level
        self._arm()
        profile = self._settings.profile
        first_s = 0.0 if self._slept_before else profile.first_sleep_s
        self._slept_before = True
        await asyncio.sleep(first_s or profile.sleep_s)
        if level == DROPPED:
            self._weights.drop(profile.model)

    async def wake(self) -> None:
        profile = self._settings.profile
        if self._level == DROPPED:
            await asyncio.sleep(profile.dropped_wake_s + self._weights.reading_s(profile))
            self._weights.read(profile.model)
        else:
            await asyncio.sleep(profile.wake_s)
        self._model.resume(now())
        self._arm()

    async def stop(self) -> None:
        for handle in list(self._live):
            self.abort(handle)
        for engine, factor in self._accelerator.leave(self):
            engine.slow_down(factor)
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        self._armed_for = None
        result = self._model.advance(now())
        listener, live = self._listener, self._live
        for started in result.started:
            listener.running(cast(int, started))
        for call_id, tokens in self._model.progress():
            self._report(live[cast(int, call_id)], tokens)
        for finished in result.finished:
            self._report(live[cast(int, finished.call_id)], finished.output_tokens)
            self._end(finished)
        self._arm()

    def _report(self, live: _Live, tokens: int) -> None:
        if tokens > live.reported:
            first = live.call.offset + live.reported
            ids, text = self._words.slice(first, live.call.offset + tokens)
            if first == 0 and asks_for_mark(live.call.prompt):
                ids, text = [self._mark_id, *ids[1:]], MARK + text.removeprefix("tok0")
            live.reported = tokens
            self._listener.delta(live.call.handle, ids, text)
            crash_at = requested_crash(live.call.prompt)
            if crash_at is not None and first < crash_at <= live.call.offset + tokens:
                self._listener.failed(f"the call {live.call.call_id} asked for it")

    def _end(self, finished: FinishedCall) -> None:
        live = self._live.pop(cast(int, finished.call_id))
        reason = FinishReason.ABORTED if finished.aborted else live.reason
        self._listener.ended(
            live.call.handle,
            EngineEnd(
                reason=reason,
                error="aborted" if finished.aborted else "",
                queue_s=finished.queue_s,
                ttft_s=finished.ttft_s,
                duration_s=finished.duration_s,
                prompt_tokens=finished.prompt_tokens,
                output_tokens=finished.output_tokens,
                mean_batch=finished.mean_batch,
            ),
        )

    def _arm(self) -> None:
        loss = self._settings.profile.sharing_loss
        for engine, factor in self._accelerator.note(self, loss, self._model.is_busy):
            engine.slow_down(factor)
        self._rearm()

    def _rearm(self) -> None:
        """One timer, at the end of the current iteration."""
        at = self._model.next_step(now())
        if at == self._armed_for and at is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if at is None else asyncio.get_running_loop().call_at(at, self._tick)
        self._armed_for = at

    def _output_length(self, call: EngineCall) -> tuple[int, FinishReason]:
        """Tokens to generate, and how the call then ends."""
        sampling = call.sampling
        room = max(1, min(sampling.max_tokens, self._settings.max_model_len - len(call.prompt)))
        if sampling.ignore_eos or sampling.min_tokens >= room:
            return room, FinishReason.LENGTH
        whole = requested_output_tokens(call.prompt) or self._drawn_length(call.call_id)
        length = max(1, whole - call.offset, sampling.min_tokens)
        return (length, FinishReason.STOP) if length < room else (room, FinishReason.LENGTH)

    def _drawn_length(self, call_id: str) -> int:
        draw = random.Random(zlib.crc32(call_id.encode()) ^ self._settings.seed)
        return max(1, round(draw.lognormvariate(math.log(self._settings.output_tokens), OUTPUT_SIGMA)))


Card = SharedAccelerator[EmulatedEngine]


class _Words:
    """Ids and texts of the words "tok0 ", "tok1 ", ..., made once each."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._texts: list[str] = []

    def slice(self, first: int, end: int) -> tuple[list[int], str]:
        for index in range(len(self._ids), end):
            self._ids.append(word_id(f"tok{index}"))
            self._texts.append(f"tok{index} ")
        return self._ids[first:end], "".join(self._texts[first:end])
