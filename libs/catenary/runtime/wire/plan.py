"""The provisioner's plan on the wire."""

from __future__ import annotations

from catenary.model.plan import Plan, PlannedWorker
from catenary.runtime.wire.worker import worker_to_proto
from catenary.v1 import provisioner_service_pb2 as pb


def plan_to_proto(plan: Plan, epoch: int) -> pb.Plan:
    """``epoch`` is that of the provisioner's lease. The update time is left to the caller."""
    return pb.Plan(
        epoch=epoch,
        revision=plan.revision,
        policy=plan.policy,
        workers=[planned_to_proto(worker) for worker in plan.workers],
        reasons=plan.reasons,
    )


def planned_to_proto(worker: PlannedWorker) -> pb.PlannedWorker:
    return pb.PlannedWorker(
        worker_id=worker.worker_id,
        models=worker.models,
        phase=worker.phase.value,
        restarts=worker.restarts,
        next_start_s=worker.next_start_s,
        address=worker.address,
        last_error=worker.last_error,
        snapshot=None if worker.snapshot is None else worker_to_proto(worker.snapshot),
        pid=worker.pid,
    )
