"""One trace per run: a span for the run, one for each attempt of its calls. Attributes in the gen_ai conventions."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode

from catenary.core.gateway.events import Start
from catenary.model.outcome import Outcome
from catenary.model.run import CallRecord, Run
from catenary.runtime.tracing import inject, records, trace_id, tracer


class RunSpans:
    """Spans of the active runs. Nothing is kept for spans that are not recorded."""

    def __init__(self) -> None:
        self._tracer = tracer()
        self._records = records()
        self._runs: dict[str, Span] = {}
        self._calls: dict[str, Span] = {}

    def run_begins(self, run_id: str, workflow: str, tenant: str) -> None:
        if self._records:
            self._runs[run_id] = self._tracer.start_span(
                f"run {workflow}",
                attributes={"catenary.run_id": run_id, "catenary.workflow": workflow, "catenary.tenant": tenant},
            )

    def call_ready(self, run_id: str, call_id: str, model: str) -> None:
        parent = self._runs.get(run_id)
        if parent is None or call_id in self._calls:
            return
        self._calls[call_id] = self._tracer.start_span(
            f"chat {model}",
            context=trace.set_span_in_context(parent),
            attributes={
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": model,
                "catenary.run_id": run_id,
                "catenary.call_id": call_id,
            },
        )

    def call_started(self, action: Start) -> None:
        span = self._calls.get(action.call_id)
        if span is not None:
            span.set_attributes(
                {
                    "catenary.slack_s": action.slack_s,
                    "catenary.worker": action.worker_id,
                    "catenary.attempt": action.attempt,
                    "gen_ai.request.max_tokens": action.sampling.max_tokens,
                }
            )

    def call_finished(self, call_id: str, record: CallRecord) -> None:
        span = self._calls.pop(call_id, None)
        if span is None:
            return
        span.set_attributes(
            {
                "gen_ai.usage.input_tokens": record.prompt_tokens,
                "gen_ai.usage.output_tokens": record.output_tokens,
                "gen_ai.response.finish_reasons": [record.finish_reason],
                "catenary.queue_s": record.queue_s,
                "catenary.ttft_s": record.ttft_s,
                "catenary.slack_after_s": record.slack_after_s,
            }
        )
        _finish(span, record.outcome, record.error)

    def run_finished(self, run: Run) -> None:
        span = self._runs.pop(run.run_id, None)
        if span is None:
            return
        for record in run.calls:
            self.call_finished(f"{run.run_id}/{record.ref}", record)
        span.set_attributes({"catenary.met": run.met, "catenary.deadline_s": run.deadline_s})
        _finish(span, run.outcome, run.reason)

    def traceparent(self, call_id: str) -> str:
        span = self._calls.get(call_id)
        return inject(span) if span is not None else ""

    def trace_id(self, run_id: str) -> str:
        span = self._runs.get(run_id)
        return trace_id(span) if span is not None else ""


def _finish(span: Span, outcome: Outcome | None, error: str) -> None:
    if outcome is not None:
        span.set_attribute("catenary.outcome", outcome)
    if outcome in (Outcome.SUCCEEDED, Outcome.SKIPPED):
        span.set_status(Status(StatusCode.OK))
    else:
        span.set_status(Status(StatusCode.ERROR, error))
    span.end()
