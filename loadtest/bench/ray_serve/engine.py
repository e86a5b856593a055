"""The engines of Catenary's workers as Ray Serve deployments: same files, same profile or weights, same clock."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import psutil

from catenary.model.profile import EngineProfile
from catenary.model.workflow import Sampling
from catenary.runtime.word_tokenizer import WordTokenizer
from catenary_worker.emulated_engine import EmulatedEngine, EmulatedSettings
from catenary_worker.engine import Engine, EngineCall, EngineEnd

if TYPE_CHECKING:
    from catenary.runtime.tokenizer import Tokenizer

MAX_MODEL_LEN = 8192
DEFAULT_OUTPUT_TOKENS = 100


class Generated(TypedDict):
    """Times are seconds from the engine's receipt of the call."""

    text: str
    prompt_tokens: int
    output_tokens: int
    queue_s: float
    duration_s: float


class EngineReplica:
    """One replica of a model. An EngineListener that gathers each call's text."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, model: str, spec: Mapping[str, Any]
    ) -> None:
        """``spec``: a profile's coefficients, or under "vllm" what ``vllm_engine`` takes."""
        self._engine, self._tokenizer = await _engine(model, spec)
        self._handles = itertools.count(1)
        self._texts: dict[int, list[str]] = {}
        self._ends: dict[int, asyncio.Future[EngineEnd]] = {}
        await self._engine.start(self)

    async def generate(
        self, prompt: str, max_tokens: int, latest_start: float = 0.0, to_the_end: bool = False, **hints: float
    ) -> Generated:
        """``latest_start`` (monotonic seconds of this machine) orders the calls that wait in the engine;
        ``to_the_end``: exactly ``max_tokens``; ``hints`` are for the request router."""
        handle = next(self._handles)
        end = self._ends[handle] = asyncio.get_running_loop().create_future()
        texts = self._texts[handle] = []
        tokens = self._tokenizer.encode(prompt)
        least = max_tokens if to_the_end else 0
        sampling = Sampling(max_tokens=max_tokens, min_tokens=least, ignore_eos=to_the_end)
        self._engine.submit(EngineCall(handle, str(handle), tokens, sampling, latest_start))
        try:
            ended = await end
        finally:
            if not end.done() or end.cancelled():
                self._engine.abort(handle)
            del self._ends[handle], self._texts[handle]
        if ended.error:
            raise RuntimeError(ended.error)
        return Generated(
            text="".join(texts),
            prompt_tokens=len(tokens),
            output_tokens=ended.output_tokens,
            queue_s=ended.queue_s,
            duration_s=ended.duration_s,
        )

    def running(self, handle: int) -> None:
        """Nobody asks."""

    def delta(self, handle: int, token_ids: Sequence[int], text: str) -> None:
        if handle in self._texts:
            self._texts[handle].append(text)

    def ended(self, handle: int, end: EngineEnd) -> None:
        future = self._ends.get(handle)
        if future is not None and not future.done():
            future.set_result(end)

    def failed(self, error: str) -> None:
        raise RuntimeError(error)


def process_age_s() -> float:
    """The start of the replica's process counts as a part of the engine's start-up."""
    age_s: float = time.time() - psutil.Process().create_time()
    return age_s


async def _engine(model: str, spec: Mapping[str, Any]) -> tuple[Engine, Tokenizer]:
    if "vllm" in spec:
        sys.path.append(spec["vllm"]["packages"])
        from bench.ray_serve.vllm_replica import vllm_engine

        return await vllm_engine(model, spec["vllm"])
    start_s = max(0.0, spec.get("start_s", 0.0) - process_age_s())
    settings = EmulatedSettings(
        EngineProfile(model, **{**spec, "start_s": start_s}), MAX_MODEL_LEN, DEFAULT_OUTPUT_TOKENS
    )
    return EmulatedEngine(settings), WordTokenizer()
