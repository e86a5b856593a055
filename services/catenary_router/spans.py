"""One span per placement or rejection of a traced call: its wait in the router, with the decision's reason."""

from __future__ import annotations

import time

from catenary.core.router import Assign, RouterAction
from catenary.runtime.tracing import extract, tracer


def record_decision(action: RouterAction, now: float) -> None:
    """``now`` in monotonic seconds, the moment of the decision."""
    call = action.call
    if not call.traceparent:
        return
    end_ns = time.time_ns()
    start_ns = end_ns - max(0, round((now - call.ready_at) * 1e9))
    attributes: dict[str, str | int | float] = {
        "gen_ai.request.model": call.model,
        "catenary.call_id": call.call_id,
        "catenary.attempt": call.attempt,
        "catenary.reason": action.reason,
        "catenary.slack_s": call.latest_finish - now if call.latest_finish < float("inf") else 0.0,
    }
    if isinstance(action, Assign):
        attributes["catenary.worker"] = action.worker_id
    else:
        attributes["catenary.outcome"] = action.outcome
    span = tracer().start_span("route", extract(call.traceparent), attributes=attributes, start_time=start_ns)
    span.end(end_ns)
