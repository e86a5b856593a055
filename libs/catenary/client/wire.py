"""Protobuf messages of the gateway to values."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from catenary.client.records import Explanation, ModelStatus, Registration, Run, RunPage
from catenary.model import run as ev
from catenary.model.explanation import CallShare
from catenary.model.workflow import CallRef
from catenary.runtime.wire.enums import (
    ended_from_proto,
    outcome_from_proto,
    priority_from_proto,
    state_from_proto,
)
from catenary.runtime.wire.values import value_from_proto
from catenary.v1 import gateway_service_pb2 as gateway_pb2
from catenary.v1 import run_pb2

_CALL_FIELDS = tuple(name for name in ev.CallRecord.__slots__ if name not in ("ref", "state", "outcome"))
_MODEL_FIELDS = ModelStatus.__slots__
_SHARE_FIELDS = CallShare.__slots__


def _picked(message: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(message, name) for name in names}


def _ref(pb: run_pb2.CallRecord | run_pb2.CallStarted | run_pb2.CallTokens | run_pb2.CallRestarted) -> CallRef:
    return CallRef(pb.name, pb.index if pb.HasField("index") else None)


def call_from(pb: run_pb2.CallRecord) -> ev.CallRecord:
    return ev.CallRecord(
        ref=_ref(pb),
        state=state_from_proto(pb.state, pb.outcome),
        outcome=ended_from_proto(pb.outcome),
        **_picked(pb, _CALL_FIELDS),
    )


def run_from(pb: run_pb2.Run) -> Run:
    return Run(
        state=state_from_proto(pb.state, pb.outcome),
        outcome=ended_from_proto(pb.outcome),
        priority=priority_from_proto(pb.priority),
        submit_time=pb.submit_time.ToDatetime(datetime.UTC) if pb.HasField("submit_time") else None,
        output=value_from_proto(pb.output),
        calls=tuple(call_from(call) for call in pb.calls),
        **_picked(pb, ("run_id", "workflow", "workflow_version", "reason", "met", "deadline_s", "e2e_s")),
        **_picked(pb, ("predicted_s", "tenant", "trace_id", "owner", "attainment")),
    )


def page_from(pb: gateway_pb2.ListRunsResponse) -> RunPage:
    return RunPage(runs=tuple(run_from(run) for run in pb.runs), next_page_token=pb.next_page_token)


def registration_from(pb: gateway_pb2.RegisterWorkflowResponse) -> Registration:
    return Registration(name=pb.name, version=pb.version, created=pb.created)


def model_from(pb: gateway_pb2.ModelStatus) -> ModelStatus:
    return ModelStatus(**_picked(pb, _MODEL_FIELDS))


def explanation_from(pb: gateway_pb2.ExplainWorkflowResponse) -> Explanation:
    return Explanation(
        predicted_s=pb.predicted_s,
        predicted_q90_s=pb.predicted_q90_s,
        deadline_s=pb.deadline_s,
        calls=tuple(CallShare(**_picked(call, _SHARE_FIELDS)) for call in pb.calls),
        basis=pb.basis,
    )


def event_from(pb: run_pb2.RunEvent) -> ev.RunEventBody | None:
    """None for a kind of event that this client does not know."""
    kind = pb.WhichOneof("event")
    return _READERS[kind](getattr(pb, kind)) if kind in _READERS else None


def _admitted(pb: run_pb2.RunAdmitted) -> ev.RunAdmitted:
    return ev.RunAdmitted(**_picked(pb, ev.RunAdmitted.__slots__))


def _refused(pb: run_pb2.RunRefused) -> ev.RunRefused:
    quote = ev.Quote(deadline_s=pb.quote.deadline_s, probability=pb.quote.probability)
    return ev.RunRefused(outcome=outcome_from_proto(pb.outcome), reason=pb.reason, quote=quote)


def _started(pb: run_pb2.CallStarted) -> ev.CallStarted:
    return ev.CallStarted(ref=_ref(pb), **_picked(pb, ("attempt", "worker", "model", "prompt_tokens", "slack_s")))


def _tokens(pb: run_pb2.CallTokens) -> ev.CallTokens:
    return ev.CallTokens(ref=_ref(pb), attempt=pb.attempt, offset=pb.offset, num_tokens=pb.num_tokens, text=pb.text)


def _restarted(pb: run_pb2.CallRestarted) -> ev.CallRestarted:
    return ev.CallRestarted(ref=_ref(pb), attempt=pb.attempt, reason=pb.reason)


def _finished(pb: run_pb2.CallFinished) -> ev.CallFinished:
    return ev.CallFinished(record=call_from(pb.call))


def _run_finished(pb: run_pb2.RunFinished) -> ev.RunFinished:
    return ev.RunFinished(
        outcome=outcome_from_proto(pb.outcome),
        met=pb.met,
        e2e_s=pb.e2e_s,
        output=value_from_proto(pb.output),
        reason=pb.reason,
    )


_READERS: dict[Any, Callable[[Any], ev.RunEventBody]] = {
    "run_admitted": _admitted,
    "run_refused": _refused,
    "call_started": _started,
    "call_tokens": _tokens,
    "call_restarted": _restarted,
    "call_finished": _finished,
    "run_finished": _run_finished,
}
