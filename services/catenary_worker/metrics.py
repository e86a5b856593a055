"""Prometheus metrics of a worker. Labels are model names, replica states and reasons of an end."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from catenary.core.worker.events import EngineStats
from catenary.model.outcome import FinishReason
from catenary.model.worker import ReplicaState, Worker
from catenary.runtime.metrics import SECONDS, MetricsServer
from catenary_worker.engine import EngineEnd


class WorkerMetrics(MetricsServer):
    def __init__(self) -> None:
        super().__init__()
        registry = self.registry
        self.ended = Counter(
            "catenary_worker_calls", "Calls that have ended here.", ("model", "finish_reason"), registry=registry
        )
        self.tokens = Counter("catenary_worker_output_tokens", "Tokens generated.", ("model",), registry=registry)
        self.ttft = Histogram(
            "catenary_worker_ttft_seconds",
            "From the engine's taking a call to its first token.",
            ("model",),
            buckets=SECONDS,
            registry=registry,
        )
        self.queue = Histogram(
            "catenary_worker_queue_seconds",
            "From the engine's taking a call to its first work on it.",
            ("model",),
            buckets=SECONDS,
            registry=registry,
        )
        self.running = Gauge("catenary_worker_running", "Sequences in the batch.", ("model",), registry=registry)
        self.waiting = Gauge("catenary_worker_waiting", "Calls in the engine's queue.", ("model",), registry=registry)
        self.kv_cache = Gauge("catenary_worker_kv_cache_usage", "0 to 1.", ("model",), registry=registry)
        self.state = Gauge(
            "catenary_worker_replica_state", "1 for the state that it is in.", ("model", "state"), registry=registry
        )

    def call_ended(self, model: str, reason: FinishReason, end: EngineEnd) -> None:
        self.ended.labels(model, reason.lower()).inc()
        self.tokens.labels(model).inc(end.output_tokens)
        if reason.is_success:
            self.ttft.labels(model).observe(end.ttft_s)
            self.queue.labels(model).observe(end.queue_s)

    def engine(self, model: str, stats: EngineStats) -> None:
        self.running.labels(model).set(stats.num_running)
        self.waiting.labels(model).set(stats.num_waiting)
        self.kv_cache.labels(model).set(stats.kv_cache_usage)

    def replicas(self, worker: Worker) -> None:
        for replica in worker.replicas:
            for state in ReplicaState:
                self.state.labels(replica.model, str(state)).set(replica.state is state)
