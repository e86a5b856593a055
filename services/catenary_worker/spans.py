"""One span per traced call, in the words of OpenTelemetry's gen_ai conventions."""

from __future__ import annotations

from opentelemetry.trace import Span, SpanKind, StatusCode

from catenary.model.outcome import FinishReason
from catenary.runtime.tracing import extract, inject, tracer
from catenary.v1 import worker_service_pb2 as pb
from catenary_worker.engine import EngineEnd


def begin_span(call: pb.StartCall) -> tuple[Span | None, str]:
    """The span of a call and the traceparent for its engine; (None, "") where it is not traced."""
    if not call.traceparent:
        return None, ""
    span = tracer().start_span(
        f"generate {call.model}",
        context=extract(call.traceparent),
        kind=SpanKind.SERVER,
        attributes={
            "gen_ai.operation.name": "text_completion",
            "gen_ai.request.model": call.model,
            "gen_ai.request.max_tokens": call.sampling.max_tokens,
            "catenary.call_id": call.call_id,
            "catenary.attempt": call.attempt,
        },
    )
    if not span.is_recording():
        return None, call.traceparent
    return span, inject(span)


def end_span(span: Span | None, end: EngineEnd, reason: FinishReason) -> None:
    if span is None:
        return
    span.set_attributes(
        {
            "gen_ai.response.finish_reasons": [reason.lower()],
            "gen_ai.usage.input_tokens": end.prompt_tokens,
            "gen_ai.usage.output_tokens": end.output_tokens,
            "gen_ai.server.time_to_first_token": end.ttft_s,
            "catenary.queue_s": end.queue_s,
        }
    )
    if not reason.is_success:
        span.set_status(StatusCode.ERROR, end.error)
    span.end()
