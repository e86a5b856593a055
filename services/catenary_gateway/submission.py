"""A submission from the wire, checked and bound; the same again for a run that is taken over."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from google.protobuf import struct_pb2

from catenary.core.gateway.events import RunSubmitted
from catenary.model.compiled import CompiledWorkflow
from catenary.model.problem import shown
from catenary.model.spec import bind_inputs
from catenary.model.workflow import Limits
from catenary.runtime.wire.enums import priority_from_proto
from catenary.runtime.wire.values import struct_from_proto
from catenary.v1 import gateway_service_pb2 as pb
from catenary_gateway.specs import Specs

MAX_RUN_ID = 128
MAX_TENANT = 64


class FieldError(Exception):
    """One field of a request has a wrong value."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


async def find_workflow(
    specs: Specs, request: pb.SubmitWorkflowRequest | pb.ExplainWorkflowRequest, version: str = ""
) -> CompiledWorkflow:
    """Raises FieldError, SpecError, UnknownWorkflow or RedisError."""
    spec = request.WhichOneof("spec")
    if spec is None:
        raise FieldError("spec", "neither a workflow nor a workflow_name is given")
    if spec == "workflow":
        return specs.compile(request.workflow)
    return await specs.registered(request.workflow_name, version)


async def parse_submission(request: pb.SubmitWorkflowRequest, specs: Specs, limits: Limits) -> RunSubmitted:
    """Raises FieldError, SpecError, UnknownWorkflow or RedisError."""
    run_id, tenant = request.run_id, request.tenant
    if len(run_id) > MAX_RUN_ID or "/" in run_id:
        raise FieldError("run_id", f"must have at most {MAX_RUN_ID} characters and no '/', is {_shown(run_id)}")
    if len(tenant) > MAX_TENANT:
        raise FieldError("tenant", f"must have at most {MAX_TENANT} characters, is {_shown(tenant)}")
    deadline_s = _deadline_s(request, limits)
    compiled = await find_workflow(specs, request, request.workflow_version)
    values = input_values(request.inputs, limits)
    return RunSubmitted(
        run_id=request.run_id or uuid.uuid4().hex,
        workflow=compiled,
        inputs=bind_inputs(compiled, values, limits),
        deadline_s=deadline_s,
        tenant=request.tenant or "default",
        priority=priority_from_proto(request.priority),
    )


def input_values(inputs: struct_pb2.Struct, limits: Limits) -> dict[str, Any]:
    """Raises FieldError, before anything is converted where they are too large: a million values take a second."""
    size = inputs.ByteSize()
    if size > limits.max_inputs_bytes:
        bound = f"gateway.limits.max_inputs_bytes is {limits.max_inputs_bytes:,}"
        raise FieldError("inputs", f"are {size:,} bytes as a message; {bound}")
    try:
        return struct_from_proto(inputs)
    except ValueError as error:
        raise FieldError("inputs", str(error)) from error


def digest_of(request: pb.SubmitWorkflowRequest, event: RunSubmitted) -> str:
    """Two submissions with the same digest are the same run."""
    content = hashlib.sha256(event.workflow.version.encode())
    content.update(request.inputs.SerializeToString(deterministic=True))
    content.update(f"{event.deadline_s}|{event.tenant}|{event.priority}".encode())
    return content.hexdigest()[:32]


def kept_request(request: pb.SubmitWorkflowRequest, event: RunSubmitted) -> bytes:
    """The request under its settled id and version, as ``parse_submission`` takes it later."""
    request.run_id = event.run_id
    if request.HasField("workflow_name"):
        request.workflow_version = event.workflow.version
    return request.SerializeToString()


def _deadline_s(request: pb.SubmitWorkflowRequest, limits: Limits) -> float | None:
    if not request.HasField("deadline"):
        return None
    deadline_s = request.deadline.seconds + request.deadline.nanos * 1e-9
    if not 0 < deadline_s <= limits.max_deadline_s:
        raise FieldError("deadline", f"is {deadline_s:g} s, must be over 0 and at most {limits.max_deadline_s:g} s")
    return deadline_s


def _shown(text: str) -> str:
    return f"{shown(text)} ({len(text)} characters)"
