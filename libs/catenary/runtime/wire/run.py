"""Runs, calls and their events from the model to the wire."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from catenary.model.run import (
    CallFinished,
    CallRecord,
    CallRestarted,
    CallStarted,
    CallTokens,
    Run,
    RunAdmitted,
    RunEvent,
    RunFinished,
    RunRefused,
)
from catenary.model.workflow import CallRef
from catenary.runtime.wire.enums import (
    ON_MISS_TO_PROTO,
    OUTCOME_TO_PROTO,
    PRIORITY_TO_PROTO,
    STATE_TO_PROTO,
    ended_from_proto,
    state_from_proto,
)
from catenary.runtime.wire.values import value_to_proto
from catenary.v1 import run_pb2

_SAME_NAME = (
    "model",
    "worker",
    "queue_s",
    "ttft_s",
    "duration_s",
    "slack_before_s",
    "slack_after_s",
    "prompt_tokens",
    "cached_tokens",
    "output_tokens",
    "attempts",
    "finish_reason",
    "error",
    "start_s",
    "predicted_s",
)


def record_to_proto(record: CallRecord) -> run_pb2.CallRecord:
    message = run_pb2.CallRecord()
    _fill_record(message, record)
    return message


def _fill_record(message: run_pb2.CallRecord, record: CallRecord) -> None:
    """A message that is given to another one's constructor is copied by way of its bytes: parts are filled in place."""
    _fill_ref(message, record.ref)
    message.state = STATE_TO_PROTO[record.state]
    if record.outcome:
        message.outcome = OUTCOME_TO_PROTO[record.outcome]
    for name in _SAME_NAME:
        value = getattr(record, name)
        if value:
            setattr(message, name, value)
    if record.text:
        message.text = record.text


def _fill_ref(message: Any, ref: CallRef) -> None:
    message.name = ref.name
    if ref.index is not None:
        message.index = ref.index


def record_from_proto(message: run_pb2.CallRecord) -> CallRecord:
    return CallRecord(
        ref=CallRef(message.name, message.index if message.HasField("index") else None),
        state=state_from_proto(message.state, message.outcome),
        outcome=ended_from_proto(message.outcome),
        text=message.text,
        **{name: getattr(message, name) for name in _SAME_NAME},
    )


def run_to_proto(run: Run, submit_unix_s: float, trace_id: str = "") -> run_pb2.Run:
    message = run_pb2.Run(
        run_id=run.run_id,
        workflow=run.workflow,
        workflow_version=run.workflow_version,
        state=STATE_TO_PROTO[run.state],
        outcome=OUTCOME_TO_PROTO[run.outcome] if run.outcome else run_pb2.OUTCOME_UNSPECIFIED,
        reason=run.reason,
        met=run.met,
        deadline_s=run.deadline_s,
        e2e_s=run.e2e_s,
        predicted_s=run.predicted_s,
        tenant=run.tenant,
        priority=PRIORITY_TO_PROTO[run.priority],
        trace_id=trace_id,
        owner=run.owner,
        epoch=run.epoch,
        on_miss=ON_MISS_TO_PROTO[run.on_miss],
        attainment=run.attainment,
    )
    for record in run.calls:
        _fill_record(message.calls.add(), record)
    message.submit_time.FromNanoseconds(round(submit_unix_s * 1e9))
    if run.outcome is not None and run.output is not None:
        message.output.CopyFrom(value_to_proto(run.output))
    return message


def event_to_proto(event: RunEvent) -> run_pb2.RunEvent:
    """Stamped with the present wall time."""
    nanos = time.time_ns()
    message = run_pb2.RunEvent(sequence=event.sequence, run_id=event.run_id)
    message.event_time.seconds, message.event_time.nanos = divmod(nanos, 10**9)
    name, fill = _BODIES[type(event.body)]
    part = getattr(message, name)
    part.SetInParent()
    fill(part, event.body)
    return message


def _admitted(message: run_pb2.RunAdmitted, body: RunAdmitted) -> None:
    message.deadline_s = body.deadline_s
    message.predicted_s = body.predicted_s
    message.probability = body.probability
    message.slack_s = body.slack_s
    message.workflow_version = body.workflow_version


def _refused(message: run_pb2.RunRefused, body: RunRefused) -> None:
    message.outcome = OUTCOME_TO_PROTO[body.outcome]
    message.reason = body.reason
    message.quote.deadline_s = body.quote.deadline_s
    message.quote.probability = body.quote.probability


def _started(message: run_pb2.CallStarted, body: CallStarted) -> None:
    _fill_ref(message, body.ref)
    message.attempt = body.attempt
    message.worker = body.worker
    message.model = body.model
    message.prompt_tokens = body.prompt_tokens
    message.slack_s = body.slack_s


def _tokens(message: run_pb2.CallTokens, body: CallTokens) -> None:
    _fill_ref(message, body.ref)
    message.attempt = body.attempt
    message.offset = body.offset
    message.num_tokens = body.num_tokens
    message.text = body.text


def _restarted(message: run_pb2.CallRestarted, body: CallRestarted) -> None:
    _fill_ref(message, body.ref)
    message.attempt = body.attempt
    message.reason = body.reason


def _call_finished(message: run_pb2.CallFinished, body: CallFinished) -> None:
    _fill_record(message.call, body.record)


def _run_finished(message: run_pb2.RunFinished, body: RunFinished) -> None:
    message.outcome = OUTCOME_TO_PROTO[body.outcome]
    message.met = body.met
    message.e2e_s = body.e2e_s
    message.reason = body.reason
    if body.output is not None:
        message.output.CopyFrom(value_to_proto(body.output))


_BODIES: dict[type, tuple[str, Callable[[Any, Any], None]]] = {
    RunAdmitted: ("run_admitted", _admitted),
    RunRefused: ("run_refused", _refused),
    CallStarted: ("call_started", _started),
    CallTokens: ("call_tokens", _tokens),
    CallRestarted: ("call_restarted", _restarted),
    CallFinished: ("call_finished", _call_finished),
    RunFinished: ("run_finished", _run_finished),
}
