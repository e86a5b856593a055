"""One OpenTelemetry trace per run. Nothing is recorded or exported unless an endpoint is configured."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import Span, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from catenary.runtime.config import TelemetryConfig

_EXPORT_TIMEOUT_S = 2
_propagator = TraceContextTextMapPropagator()
_provider: TracerProvider | None = None


def configure_tracing(service: str, config: TelemetryConfig) -> Tracer:
    """Make the process's tracer. Without an endpoint spans have ids and nothing else."""
    global _provider  # noqa: PLW0603
    sampler = ALWAYS_ON if config.otlp_endpoint else ALWAYS_OFF
    _provider = TracerProvider(sampler=sampler, resource=Resource.create({SERVICE_NAME: f"catenary-{service}"}))
    if config.otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter(
            endpoint=config.otlp_endpoint,
            insecure=not config.otlp_endpoint.startswith("https://"),
            timeout=_EXPORT_TIMEOUT_S,
        )
        _provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
    return _provider.get_tracer("catenary")


def records() -> bool:
    """Whether spans go anywhere."""
    return _provider is not None and _provider.sampler is ALWAYS_ON


def tracer() -> Tracer:
    """The tracer of ``configure_tracing``, or one that records nothing."""
    return _provider.get_tracer("catenary") if _provider else trace.NoOpTracer()


def shutdown_tracing() -> None:
    """Export what is left. Blocks for a few seconds at most."""
    global _provider  # noqa: PLW0603
    if _provider is not None:
        _provider.shutdown()
        _provider = None


def inject(span: Span | None = None) -> str:
    """The W3C traceparent of ``span`` (default: the current one); empty where there is none."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, None if span is None else trace.set_span_in_context(span))
    return carrier.get("traceparent", "")


def extract(traceparent: str) -> Context:
    """The context that a traceparent names; an empty one for an empty or malformed text."""
    return _propagator.extract({"traceparent": traceparent}, context=Context())


def trace_id(span: Span) -> str:
    """32 hex digits; empty for a span without an id."""
    context = span.get_span_context()
    return format(context.trace_id, "032x") if context.is_valid else ""
