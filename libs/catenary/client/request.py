"""What a caller says about a run, as protobuf."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from google.protobuf import duration_pb2, struct_pb2

from catenary.model.outcome import PriorityClass
from catenary.model.spec import load_workflow
from catenary.model.workflow import Workflow
from catenary.runtime.wire.enums import PRIORITY_TO_PROTO
from catenary.runtime.wire.values import value_to_proto
from catenary.runtime.wire.workflow import workflow_to_proto
from catenary.v1 import gateway_service_pb2 as gateway_pb2
from catenary.v1 import workflow_pb2

WorkflowLike = Workflow | Path | str

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class RunOptions(TypedDict, total=False):
    """Everything about a run besides its workflow and inputs; all may be left out.

    ``run_id``: at most 128 characters; the same id and content attaches to the run. ``deadline_s``: over 0, overrides
    the workflow's. ``tokens``: ask for text as it comes. ``detach``: the run outlives this client. ``version``: of a
    registered workflow.
    """

    run_id: str
    deadline_s: float | None
    tenant: str
    priority: PriorityClass
    tokens: bool
    detach: bool
    version: str


@dataclass(frozen=True, slots=True)
class Spec:
    """A workflow itself, or the name of a registered one. Exactly one of them is set."""

    workflow: workflow_pb2.Workflow | None
    registered: str

    @property
    def name(self) -> str:
        return self.workflow.name if self.workflow is not None else self.registered

    @property
    def order(self) -> tuple[str, ...]:
        return tuple(call.name for call in self.workflow.calls) if self.workflow is not None else ()


def resolve(workflow: WorkflowLike) -> Spec:
    """A Workflow, a path (``Path``, or text that ends in .yaml or .yml), YAML text, or a registered name.

    Raises:
        SpecError: the YAML is no workflow.
        OSError: the file cannot be read.
        ValueError: the text is none of these.
    """
    if isinstance(workflow, Workflow):
        return Spec(workflow_to_proto(workflow), "")
    if isinstance(workflow, Path) or workflow.endswith((".yaml", ".yml")):
        return _parse(_read(Path(workflow)))
    if "\n" in workflow or workflow.lstrip().startswith("{"):
        return _parse(workflow)
    if _NAME.fullmatch(workflow):
        return Spec(None, workflow)
    raise ValueError(f"workflow: {workflow[:80]!r} is no .yaml path, no YAML text and no registered name")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: is no UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error


def _parse(text: str) -> Spec:
    return Spec(workflow_to_proto(load_workflow(text)), "")


def submit_request(
    spec: Spec, run_id: str, inputs: Mapping[str, Any] | None, options: RunOptions
) -> gateway_pb2.SubmitWorkflowRequest:
    request = gateway_pb2.SubmitWorkflowRequest(
        run_id=run_id,
        inputs=_inputs(inputs or {}),
        deadline=_duration(options.get("deadline_s")),
        tenant=options.get("tenant", ""),
        priority=PRIORITY_TO_PROTO[PriorityClass(options.get("priority", PriorityClass.STANDARD))],
        stream_tokens=options.get("tokens", False),
        detach=options.get("detach", False),
        workflow_version=options.get("version", ""),
    )
    if spec.workflow is not None:
        request.workflow.CopyFrom(spec.workflow)
    else:
        request.workflow_name = spec.registered
    return request


def explain_request(spec: Spec, inputs: Mapping[str, Any] | None) -> gateway_pb2.ExplainWorkflowRequest:
    request = gateway_pb2.ExplainWorkflowRequest(inputs=_inputs(inputs or {}))
    if spec.workflow is not None:
        request.workflow.CopyFrom(spec.workflow)
    else:
        request.workflow_name = spec.registered
    return request


def _inputs(values: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    for name, value in values.items():
        try:
            struct.fields[name].CopyFrom(value_to_proto(value))
        except (TypeError, ValueError) as error:
            raise ValueError(f"inputs.{name}: {error}") from error
    return struct


def _duration(seconds: float | None) -> duration_pb2.Duration | None:
    if seconds is None:
        return None
    if not 0 < seconds < math.inf:
        raise ValueError(f"deadline_s: must be over 0 and finite, is {seconds}")
    duration = duration_pb2.Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration
