"""Prometheus metrics of a gateway. Labels are workflow, model and outcome names; nothing per run or tenant."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram

from catenary.model.dispatch import PoolState
from catenary.model.outcome import Outcome
from catenary.model.run import CallRecord, Run
from catenary.runtime.metrics import SECONDS, SLACK_S, MetricsServer

STORE_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0)
MAX_WORKFLOWS = 100
OTHER = "other"


class GatewayMetrics(MetricsServer):
    """Workflows beyond the first 100 are counted together, so that the number of series has a bound.

    ``measures`` False: nobody scrapes, and nothing is counted per call or run.
    """

    def __init__(self, *, measures: bool = True) -> None:
        super().__init__()
        self._measures = measures
        registry = self.registry
        self._workflows: set[str] = set()
        self._of_model: dict[str, tuple[Histogram, ...]] = {}
        self.runs = Counter(
            "catenary_runs",
            "Runs that have ended; met: within their deadline.",
            ("workflow", "outcome", "met"),
            registry=registry,
        )
        self.refused = Counter("catenary_runs_refused", "Runs refused at admission.", ("outcome",), registry=registry)
        self.adopted = Counter("catenary_runs_adopted", "Runs taken over from another owner.", registry=registry)
        self.fenced = Counter("catenary_runs_fenced", "Runs that another owner took over.", registry=registry)
        self.too_slow = Counter(
            "catenary_readers_too_slow", "Streams ended since their reader fell behind.", registry=registry
        )
        self.active = Gauge("catenary_runs_active", "Runs that have not ended.", registry=registry)
        self.e2e = Histogram(
            "catenary_run_seconds",
            "Submission to end of succeeded runs.",
            ("workflow",),
            buckets=SECONDS,
            registry=registry,
        )
        self.attempts = Histogram(
            "catenary_call_attempts",
            "Placements of a finished call.",
            ("model",),
            buckets=(1, 2, 3, 5, 10),
            registry=registry,
        )
        self.queue = Histogram(
            "catenary_call_queue_seconds",
            "From ready to the engine's first work.",
            ("model",),
            buckets=SECONDS,
            registry=registry,
        )
        self.slack = Histogram(
            "catenary_call_slack_seconds",
            "Slack of a call when it became ready; below 0: late.",
            ("model",),
            buckets=SLACK_S,
            registry=registry,
        )
        self.store = Histogram(
            "catenary_store_write_seconds", "Events sent to stored.", buckets=STORE_S, registry=registry
        )
        self.store_connected = Gauge("catenary_store_connected", "1 while new runs can be stored.", registry=registry)
        self.replicas = Gauge("catenary_pool_replicas", "Replicas that take calls.", ("model",), registry=registry)
        self.queued = Gauge("catenary_pool_queued", "Calls that wait in the router.", ("model",), registry=registry)

    def stored(self, seconds: float) -> None:
        """An append took ``seconds``."""
        if self._measures:
            self.store.observe(seconds)

    def run_ended(self, run: Run) -> None:
        if not self._measures:
            return
        workflow = self._workflow(run.workflow)
        self.runs.labels(workflow, str(run.outcome), str(run.met).lower()).inc()
        if run.outcome is Outcome.SUCCEEDED:
            self.e2e.labels(workflow).observe(run.e2e_s)

    def call_ended(self, record: CallRecord) -> None:
        if not self._measures or record.outcome is not Outcome.SUCCEEDED:
            return
        model = record.model
        observed = self._of_model.get(model)
        if observed is None:
            observed = self._of_model[model] = tuple(
                histogram.labels(model) for histogram in (self.attempts, self.queue, self.slack)
            )
        attempts, queue, slack = observed
        attempts.observe(record.attempts)
        queue.observe(record.queue_s)
        slack.observe(record.slack_before_s)

    def state(self, num_active: int, store_connected: bool, pools: Mapping[str, PoolState]) -> None:
        self.active.set(num_active)
        self.store_connected.set(store_connected)
        for name, pool in pools.items():
            self.replicas.labels(name).set(pool.num_replicas)
            self.queued.labels(name).set(pool.num_queued)

    def _workflow(self, name: str) -> str:
        if name in self._workflows or len(self._workflows) < MAX_WORKFLOWS:
            self._workflows.add(name)
            return name
        return OTHER
