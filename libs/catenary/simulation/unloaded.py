"""How long a run takes on idle engines, its outputs known."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from catenary.core.progress import ReadyCall, RunProgress, Step
from catenary.model.compiled import CompiledWorkflow
from catenary.model.profile import EngineProfile
from catenary.model.workflow import CallRef, Limits
from catenary.simulation.job import Job, text_tokens


def own_latency_s(job: Job, workflow: CompiledWorkflow, profiles: Mapping[str, EngineProfile], limits: Limits) -> float:
    """Seconds from the first call to the last, each call alone on its engine."""
    progress = RunProgress(workflow, job.inputs, limits)
    ends: list[tuple[float, str, CallRef]] = []
    now = 0.0

    def begin(step: Step) -> None:
        for ready in step.ready:
            seconds = _call_s(ready, job, profiles[ready.call.model])
            heapq.heappush(ends, (now + seconds, str(ready.ref), ready.ref))

    begin(progress.start())
    while ends:
        now, _, ref = heapq.heappop(ends)
        begin(progress.finish(ref, job.answer(ref).text))
    return now


def prompt_tokens(ready: ReadyCall) -> int:
    if isinstance(ready.content, str):
        return text_tokens(ready.content)
    return sum(text_tokens(message.text) for message in ready.content)


def _call_s(ready: ReadyCall, job: Job, profile: EngineProfile) -> float:
    prompt = prompt_tokens(ready)
    tokens = min(job.answer(ready.ref).tokens, ready.call.sampling.max_tokens)
    context = prompt + (tokens - 1) / 2
    return profile.prefill_s(prompt) + tokens * profile.step_s(1, context)
