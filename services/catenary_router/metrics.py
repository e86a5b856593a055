"""Prometheus metrics of a router. Labels are model and outcome names."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from catenary.core.router import Assign, Offered, RouterAction, RouterEvent
from catenary.model.dispatch import NEVER, PoolState
from catenary.runtime.metrics import SECONDS, SLACK_S, MetricsServer

DECISION_S = (50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 50e-3)


class RouterMetrics(MetricsServer):
    """A standby shows ``catenary_router_active`` 0 and no pools."""

    def __init__(self) -> None:
        super().__init__()
        registry = self.registry
        self.active = Gauge("catenary_router_active", "1 while it holds the lease.", registry=registry)
        self.takeovers = Counter("catenary_router_takeovers", "Times it became active.", registry=registry)
        self.assigned = Counter("catenary_router_assigned", "Calls sent to a worker.", ("model",), registry=registry)
        self.rejected = Counter(
            "catenary_router_rejected", "Calls given back to their gateway.", ("model", "outcome"), registry=registry
        )
        self.decision = Histogram(
            "catenary_router_decision_seconds",
            "What a decision on an offered call takes, whether it is placed, queued or given back.",
            ("model",),
            buckets=DECISION_S,
            registry=registry,
        )
        self.wait = Histogram(
            "catenary_router_wait_seconds",
            "From ready to assigned.",
            ("model",),
            buckets=SECONDS,
            registry=registry,
        )
        self.margin = Histogram(
            "catenary_router_margin_seconds",
            "Latest start less the moment of the assignment, of calls with a deadline; below 0: late.",
            ("model",),
            buckets=SLACK_S,
            registry=registry,
        )
        self.queued = Gauge("catenary_router_queued", "Calls that wait.", ("model",), registry=registry)
        self.queued_work = Gauge(
            "catenary_router_queued_work_seconds", "Predicted work of those.", ("model",), registry=registry
        )
        self.seats = Gauge("catenary_router_seats", "Seats of awake replicas.", ("model",), registry=registry)

    def decided(self, event: RouterEvent, actions: Iterable[RouterAction], at: float, took_s: float) -> None:
        if isinstance(event, Offered):
            self.decision.labels(event.call.model).observe(took_s)
        for action in actions:
            call = action.call
            if not isinstance(action, Assign):
                self.rejected.labels(call.model, str(action.outcome)).inc()
                continue
            self.assigned.labels(call.model).inc()
            self.wait.labels(call.model).observe(max(0.0, at - call.ready_at))
            if call.latest_finish != NEVER:
                self.margin.labels(call.model).observe(action.latest_start - at)

    def leads(self, active: bool) -> None:
        self.active.set(active)
        if active:
            self.takeovers.inc()
            return
        for gauge in (self.queued, self.queued_work, self.seats):
            gauge.clear()

    def pools(self, states: Iterable[PoolState]) -> None:
        for state in states:
            self.queued.labels(state.model).set(state.num_queued)
            self.queued_work.labels(state.model).set(state.queued_work_s)
            self.seats.labels(state.model).set(state.num_seats)
