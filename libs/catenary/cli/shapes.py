"""The JSON objects that ``--json`` prints. Seconds are rounded to microseconds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from catenary.client import CallRecord, Explanation, ModelStatus, Run
from catenary.model.outcome import Outcome


def run_shape(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "outcome": run.outcome,
        "met": run.met,
        "deadline_s": _seconds(run.deadline_s) if run.deadline_s else None,
        "e2e_s": _seconds(run.e2e_s),
        "output": run.output,
        "calls": [call_shape(call) for call in run.calls],
    }


def call_shape(call: CallRecord) -> dict[str, Any]:
    return {
        "name": call.ref.name,
        "index": call.ref.index,
        "model": call.model,
        "worker": call.worker,
        "state": call_state(call),
        "queue_s": _seconds(call.queue_s),
        "ttft_s": _seconds(call.ttft_s),
        "duration_s": _seconds(call.duration_s),
        "slack_before_s": _seconds(call.slack_before_s),
        "slack_after_s": _seconds(call.slack_after_s),
        "prompt_tokens": call.prompt_tokens,
        "output_tokens": call.output_tokens,
    }


def call_state(call: CallRecord) -> str:
    """FINISHED for a success; otherwise how it ended (SKIPPED, FAILED, ...), or where it is."""
    if call.outcome is None or call.outcome is Outcome.SUCCEEDED:
        return call.state
    return call.outcome


def run_summary(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "workflow": run.workflow,
        "workflow_version": run.workflow_version,
        "state": run.state,
        "outcome": run.outcome,
        "reason": run.reason,
        "met": run.met,
        "deadline_s": _seconds(run.deadline_s) if run.deadline_s else None,
        "e2e_s": _seconds(run.e2e_s),
        "predicted_s": _seconds(run.predicted_s),
        "tenant": run.tenant,
        "priority": run.priority,
        "submit_time": run.submit_time.isoformat() if run.submit_time else None,
        "trace_id": run.trace_id,
    }


def models_shape(models: tuple[ModelStatus, ...]) -> dict[str, Any]:
    return {"models": [asdict(model) for model in models]}


def explanation_shape(explanation: Explanation) -> dict[str, Any]:
    shape = asdict(explanation)
    shape["calls"] = [
        {name: _seconds(value) if isinstance(value, float) else value for name, value in call.items()}
        for call in shape["calls"]
    ]
    for name in ("predicted_s", "predicted_q90_s", "deadline_s"):
        shape[name] = _seconds(shape[name])
    return shape


def _seconds(value: float) -> float:
    return round(value, 6)
