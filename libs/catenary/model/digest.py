"""The version of a workflow: a digest of its content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import Any

from catenary.model.workflow import Call, Sampling, Workflow

VERSION_LENGTH = 16

_SAMPLING_FIELDS = tuple(field.name for field in fields(Sampling))


def digest(workflow: Workflow) -> str:
    """``VERSION_LENGTH`` hexadecimal digits, the same for equal workflows however they were written."""
    content = {
        "name": workflow.name,
        "description": workflow.description,
        "slo": [workflow.slo.deadline_s, workflow.slo.attainment, workflow.slo.on_miss],
        "inputs": sorted(workflow.inputs.items()),
        "calls": [_call(call) for call in workflow.calls],
        "output": workflow.output,
    }
    text = json.dumps(_canonical(content), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:VERSION_LENGTH]


def _call(call: Call) -> dict[str, Any]:
    sampling = {name: getattr(call.sampling, name) for name in _SAMPLING_FIELDS}
    return {
        "name": call.name,
        "model": call.model,
        "prompt": call.prompt,
        "messages": [[message.role, message.content] for message in call.messages],
        "sampling": sampling,
        "when": call.when,
        "for_each": call.for_each,
        "max_items": call.max_items,
    }


def _canonical(value: Any) -> Any:
    """Floats without a fraction as integers: 1 and 1.0 are equal, but not their JSON."""
    if isinstance(value, dict):
        return {key: _canonical(element) for key, element in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(element) for element in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
