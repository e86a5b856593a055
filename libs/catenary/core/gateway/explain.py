"""What a workflow is expected to take on idle engines, and how its objective splits over its calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catenary.core.gateway.forecast import BYTES_PER_TOKEN, Forecaster
from catenary.core.gateway.run import ActiveRun, input_tokens
from catenary.core.progress import RunProgress
from catenary.model.compiled import CompiledWorkflow
from catenary.model.explanation import CallShare
from catenary.model.outcome import PriorityClass
from catenary.model.workflow import Limits
from catenary.policy.slack import PathCall, longest, tails
from catenary.policy.span import Span


@dataclass(frozen=True, slots=True)
class Explanation:
    """``basis`` says where the figures come from."""

    predicted: Span
    deadline_s: float
    calls: tuple[CallShare, ...]
    basis: str


def explain(
    workflow: CompiledWorkflow, inputs: Mapping[str, Any], forecaster: Forecaster, limits: Limits
) -> Explanation:
    """``forecaster`` is one without pools: idle engines. Inputs that are not given count as empty."""
    run = ActiveRun(
        run_id="",
        workflow=workflow,
        progress=RunProgress(workflow, inputs, limits),
        submitted_at=0.0,
        deadline_s=workflow.workflow.slo.deadline_s,
        tenant="",
        priority=PriorityClass.STANDARD,
        input_tokens=input_tokens(inputs, BYTES_PER_TOKEN),
        owner="",
    )
    path = forecaster.path(run)
    after = tails(path)
    before = _earliest_starts(path)
    shares = tuple(_share(run, call, before[call.name], after[call.name], forecaster) for call in path)
    return Explanation(longest(path, after), run.deadline_s or 0.0, shares, _basis(workflow, forecaster))


def _share(run: ActiveRun, call: PathCall, start_s: float, after: Span, forecaster: Forecaster) -> CallShare:
    spec = run.workflow.by_name[call.name].call
    deadline = run.deadline_s or 0.0
    own = call.span.median
    whole = start_s + own + after.median
    latest_finish = deadline - after.median if deadline else 0.0
    return CallShare(
        name=call.name,
        model=spec.model,
        prompt_tokens=round(forecaster.prompt_tokens(run.workflow, call.name, run.input_tokens)),
        output_tokens=round(forecaster.length(run.workflow.version, spec).q50),
        predicted_s=own,
        share_s=deadline * own / whole if whole else 0.0,
        latest_start_s=latest_finish - own if deadline else 0.0,
        latest_finish_s=latest_finish,
        slack_s=latest_finish - own - start_s if deadline else 0.0,
    )


def _earliest_starts(path: list[PathCall]) -> dict[str, float]:
    starts = {call.name: 0.0 for call in path}
    for call in path:
        for child in call.children:
            if child in starts:
                starts[child] = max(starts[child], starts[call.name] + call.span.median)
    return starts


def _basis(workflow: CompiledWorkflow, forecaster: Forecaster) -> str:
    models = sorted({compiled.call.model for compiled in workflow.calls})
    return "; ".join(
        f"{model}: {profile.origin} on {profile.accelerator}"
        for model in models
        for profile in (forecaster.profiles[model],)
    )
