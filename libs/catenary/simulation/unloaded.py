"""What a run takes on idle engines, its outputs known."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field

from catenary.core.progress import ReadyCall, RunProgress, Step
from catenary.model.compiled import CompiledWorkflow
from catenary.model.profile import EngineProfile
from catenary.model.workflow import CallRef, Limits
from catenary.policy.prediction import engine_work_s
from catenary.simulation.job import Job, text_tokens


@dataclass(slots=True)
class Unloaded:
    """Seconds from the first call to the last, each call alone on its engine; and by model the seconds of one full
    engine that the run takes."""

    latency_s: float = 0.0
    work_s: dict[str, float] = field(default_factory=dict)


def unloaded(job: Job, workflow: CompiledWorkflow, profiles: Mapping[str, EngineProfile], limits: Limits) -> Unloaded:
    found = Unloaded()
    progress = RunProgress(workflow, job.inputs, limits)
    ends: list[tuple[float, str, CallRef]] = []

    def begin(step: Step) -> None:
        for ready in step.ready:
            model, prompt = ready.call.model, prompt_tokens(ready)
            tokens = min(job.answer(ready.ref).tokens, ready.call.sampling.max_tokens)
            seconds = alone_s(profiles[model], prompt, tokens)
            work_s = engine_work_s(profiles[model], prompt, tokens)
            found.work_s[model] = found.work_s.get(model, 0.0) + work_s
            heapq.heappush(ends, (found.latency_s + seconds, str(ready.ref), ready.ref))

    begin(progress.start())
    while ends:
        found.latency_s, _, ref = heapq.heappop(ends)
        begin(progress.finish(ref, job.answer(ref).text))
    return found


def prompt_tokens(ready: ReadyCall) -> int:
    if isinstance(ready.content, str):
        return text_tokens(ready.content)
    return sum(text_tokens(message.text) for message in ready.content)


def alone_s(profile: EngineProfile, prompt: int, tokens: int) -> float:
    """One call of ``prompt`` and ``tokens`` output tokens on an idle engine."""
    return profile.prefill_s(prompt) + tokens * profile.step_s(1, prompt + (tokens - 1) / 2)
