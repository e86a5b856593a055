from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.trace import Tracer

from catenary.runtime.config import TelemetryConfig
from catenary.runtime.tracing import configure_tracing, extract, inject, shutdown_tracing, trace_id


@pytest.fixture
def tracer() -> Iterator[Tracer]:
    yield configure_tracing("test", TelemetryConfig())
    shutdown_tracing()


def test_without_an_endpoint_spans_have_ids_and_record_nothing(tracer: Tracer) -> None:
    span = tracer.start_span("run")
    assert len(trace_id(span)) == 32
    assert not span.is_recording()


def test_a_trace_goes_on_behind_the_wire(tracer: Tracer) -> None:
    span = tracer.start_span("run")
    child = tracer.start_span("call", context=extract(inject(span)))
    assert trace_id(child) == trace_id(span)


def test_the_current_span_is_the_default(tracer: Tracer) -> None:
    with trace.use_span(tracer.start_span("run")):
        assert inject() != ""
    assert inject() == ""


@pytest.mark.parametrize("traceparent", ["", "nonsense", "00-0-0-00"])
def test_no_valid_traceparent_begins_a_trace(tracer: Tracer, traceparent: str) -> None:
    context = extract(traceparent)
    assert trace.get_current_span(context).get_span_context().is_valid is False
    assert len(trace_id(tracer.start_span("call", context=context))) == 32
