"""Runs, calls and their events from the model to the wire."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from catenary.model.run import (
    CallFinished,
    CallRecord,
    CallRestarted,
    CallStarted,
    CallTokens,
    Quote,
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


def record_to_proto(record: CallRecord, *, with_text: bool = True) -> run_pb2.CallRecord:
    message = run_pb2.CallRecord(
        name=record.ref.name,
        index=record.ref.index,
        state=STATE_TO_PROTO[record.state],
        outcome=OUTCOME_TO_PROTO[record.outcome] if record.outcome else run_pb2.OUTCOME_UNSPECIFIED,
        **{name: value for name in _SAME_NAME if (value := getattr(record, name))},
    )
    if with_text:
        message.text = record.text
    return message


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
        calls=[record_to_proto(record) for record in run.calls],
        trace_id=trace_id,
        owner=run.owner,
        epoch=run.epoch,
        on_miss=ON_MISS_TO_PROTO[run.on_miss],
        attainment=run.attainment,
    )
    message.submit_time.FromNanoseconds(round(submit_unix_s * 1e9))
    if run.outcome is not None and run.output is not None:
        message.output.CopyFrom(value_to_proto(run.output))
    return message


def event_to_proto(event: RunEvent) -> run_pb2.RunEvent:
    """Stamped with the present wall time."""
    nanos = time.time_ns()
    name, body = _BODIES[type(event.body)](event.body)
    return run_pb2.RunEvent(
        sequence=event.sequence,
        run_id=event.run_id,
        event_time=Timestamp(seconds=nanos // 10**9, nanos=nanos % 10**9),
        **{name: body},
    )


def _admitted(body: RunAdmitted) -> tuple[str, run_pb2.RunAdmitted]:
    return "run_admitted", run_pb2.RunAdmitted(
        deadline_s=body.deadline_s,
        predicted_s=body.predicted_s,
        probability=body.probability,
        slack_s=body.slack_s,
        workflow_version=body.workflow_version,
    )


def _refused(body: RunRefused) -> tuple[str, run_pb2.RunRefused]:
    return "run_refused", run_pb2.RunRefused(
        outcome=OUTCOME_TO_PROTO[body.outcome], reason=body.reason, quote=_quote(body.quote)
    )


def _quote(quote: Quote) -> run_pb2.Quote:
    return run_pb2.Quote(deadline_s=quote.deadline_s, probability=quote.probability)


def _started(body: CallStarted) -> tuple[str, run_pb2.CallStarted]:
    return "call_started", run_pb2.CallStarted(
        name=body.ref.name,
        index=body.ref.index,
        attempt=body.attempt,
        worker=body.worker,
        model=body.model,
        prompt_tokens=body.prompt_tokens,
        slack_s=body.slack_s,
    )


def _tokens(body: CallTokens) -> tuple[str, run_pb2.CallTokens]:
    return "call_tokens", run_pb2.CallTokens(
        name=body.ref.name,
        index=body.ref.index,
        attempt=body.attempt,
        offset=body.offset,
        num_tokens=body.num_tokens,
        text=body.text,
    )


def _restarted(body: CallRestarted) -> tuple[str, run_pb2.CallRestarted]:
    return "call_restarted", run_pb2.CallRestarted(
        name=body.ref.name, index=body.ref.index, attempt=body.attempt, reason=body.reason
    )


def _call_finished(body: CallFinished) -> tuple[str, run_pb2.CallFinished]:
    return "call_finished", run_pb2.CallFinished(call=record_to_proto(body.record))


def _run_finished(body: RunFinished) -> tuple[str, run_pb2.RunFinished]:
    message = run_pb2.RunFinished(
        outcome=OUTCOME_TO_PROTO[body.outcome], met=body.met, e2e_s=body.e2e_s, reason=body.reason
    )
    if body.output is not None:
        message.output.CopyFrom(value_to_proto(body.output))
    return "run_finished", message


_BODIES: dict[type, Callable[[Any], tuple[str, Any]]] = {
    RunAdmitted: _admitted,
    RunRefused: _refused,
    CallStarted: _started,
    CallTokens: _tokens,
    CallRestarted: _restarted,
    CallFinished: _call_finished,
    RunFinished: _run_finished,
}
