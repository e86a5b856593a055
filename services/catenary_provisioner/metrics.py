"""Prometheus metrics of a provisioner. Labels are worker and model names, and a worker's phase."""

from __future__ import annotations

from prometheus_client import Gauge

from catenary.runtime.metrics import MetricsServer
from catenary.v1.provisioner_service_pb2 import Plan
from catenary.v1.worker_service_pb2 import REPLICA_STATE_AWAKE

PHASES = ("starting", "ready", "backing off", "stopping", "external")


class ProvisionerMetrics(MetricsServer):
    def __init__(self) -> None:
        super().__init__()
        registry = self.registry
        self.epoch = Gauge("catenary_provisioner_epoch", "Epoch of its lease; 0: a standby.", registry=registry)
        self.revision = Gauge("catenary_plan_revision", "Rises with each change of the plan.", registry=registry)
        self.phase = Gauge(
            "catenary_plan_worker_phase",
            "1 for the phase that a worker is in.",
            ("worker", "phase"),
            registry=registry,
        )
        self.restarts = Gauge(
            "catenary_plan_worker_restarts", "Times its process was started again.", ("worker",), registry=registry
        )
        self.wanted = Gauge("catenary_plan_replicas_wanted", "Of the plan.", ("model",), registry=registry)
        self.awake = Gauge("catenary_plan_replicas_awake", "As workers say.", ("model",), registry=registry)

    def plan(self, plan: Plan) -> None:
        self.epoch.set(plan.epoch)
        self.revision.set(plan.revision)
        for gauge in (self.phase, self.restarts, self.wanted, self.awake):
            gauge.clear()
        for worker in plan.workers:
            for phase in PHASES:
                self.phase.labels(worker.worker_id, phase).set(worker.phase == phase)
            self.restarts.labels(worker.worker_id).set(worker.restarts)
            for model in worker.models:
                self.wanted.labels(model).inc()
            for replica in worker.snapshot.replicas:
                self.awake.labels(replica.model).inc(replica.state == REPLICA_STATE_AWAKE)
