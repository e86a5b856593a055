"""One call in vLLM: its deltas, its figures and its one end."""

from __future__ import annotations

from typing import Any

from catenary.model.outcome import FinishReason
from catenary.runtime.clock import now
from catenary_worker.engine import EngineCall, EngineEnd, EngineListener
from catenary_worker.vllm_sampling import vllm_sampling
from catenary_worker.vllm_stats import StepStats

_REASONS = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH, "abort": FinishReason.ABORTED}


class VllmCall:
    """``run`` in a task, then ``finish``, which reports the end however the task ended."""

    def __init__(self, call: EngineCall, llm: Any, listener: EngineListener, stats: StepStats) -> None:
        self.call = call
        self._llm = llm
        self._listener = listener
        self._stats = stats
        self._arrived_s = now()
        self._first_s = 0.0
        self._queue_s = 0.0
        self._prompt_tokens = len(call.prompt)
        self._cached_tokens = 0
        self._output_tokens = 0
        self._mark = (0, 0)
        self._reason = FinishReason.ABORTED
        self._error = "aborted"

    async def run(self) -> None:
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        try:
            await self._generate()
        except (EngineDeadError, EngineGenerateError) as error:
            self._reason, self._error = FinishReason.ERROR, f"vLLM: {error.__cause__ or error}"
        except Exception as error:  # what is left is raised for what was asked, before the engine works on it
            self._reason, self._error = FinishReason.INVALID, f"vLLM: {type(error).__name__}: {error}"

    def finish(self) -> None:
        end_s = now()
        self._listener.ended(
            self.call.handle,
            EngineEnd(
                reason=self._reason,
                error=self._error,
                queue_s=self._queue_s if self._first_s else end_s - self._arrived_s,
                ttft_s=self._first_s - self._arrived_s if self._first_s else 0.0,
                duration_s=end_s - self._arrived_s,
                prompt_tokens=self._prompt_tokens,
                cached_tokens=self._cached_tokens,
                output_tokens=self._output_tokens,
                mean_batch=self._stats.mean_running(self._mark) if self._first_s else 0.0,
            ),
        )

    async def _generate(self) -> None:
        call = self.call
        outputs = self._llm.generate(
            {"prompt_token_ids": list(call.prompt)},
            vllm_sampling(call.sampling),
            str(call.handle),
            priority=round(call.latest_start * 1000),
            trace_headers={"traceparent": call.traceparent} if call.traceparent else None,
        )
        async for output in outputs:
            self._take(output)

    def _take(self, output: Any) -> None:
        completion = output.outputs[0]
        if completion.token_ids or completion.text:
            if not self._first_s:
                self._begin(output)
            self._output_tokens += len(completion.token_ids)
            self._listener.delta(self.call.handle, completion.token_ids, completion.text)
        if output.finished:
            self._reason = _REASONS.get(completion.finish_reason, FinishReason.ERROR)
            ok = self._reason.is_success
            self._error = "" if ok else f"vLLM ended the call with {completion.finish_reason!r}"

    def _begin(self, output: Any) -> None:
        """The first token: what waited before it is known now."""
        self._first_s = now()
        self._mark = self._stats.mark()
        self._cached_tokens = output.num_cached_tokens or 0
        times = output.metrics
        if times is not None and times.scheduled_ts and times.queued_ts:
            self._queue_s = max(0.0, times.scheduled_ts - times.queued_ts)
