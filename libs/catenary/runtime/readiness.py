"""What a plan still lacks, and what is wrong with it, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from catenary.runtime.config import WorkerConfig
from catenary.v1 import provisioner_service_pb2 as pb
from catenary.v1.worker_service_pb2 import REPLICA_STATE_ASLEEP, REPLICA_STATE_AWAKE, ReplicaState


def missing(plan: pb.Plan, workers: Iterable[WorkerConfig]) -> Iterator[str]:
    """One line for each configured replica that is neither awake nor put to sleep where one is awake at a time;
    nothing: the cluster is ready."""
    planned = {worker.worker_id: worker for worker in plan.workers}
    for worker in workers:
        known = planned.get(worker.id)
        states = {replica.model: replica.state for replica in known.snapshot.replicas} if known else {}
        fine = (REPLICA_STATE_AWAKE, REPLICA_STATE_ASLEEP) if worker.one_awake else (REPLICA_STATE_AWAKE,)
        for model in worker.models:
            if states.get(model) not in fine:
                state = ReplicaState.Name(states[model]).removeprefix("REPLICA_STATE_") if model in states else ""
                phase = known.phase if known else "not planned"
                yield f"worker {worker.id}, model {model}: {state or 'no replica'} (worker: {phase})"


def awake(plan: pb.Plan) -> dict[str, int]:
    """How many replicas of each model take calls."""
    return Counter(
        replica.model
        for worker in plan.workers
        for replica in worker.snapshot.replicas
        if replica.state == REPLICA_STATE_AWAKE and not replica.reserved
    )


def problems(plan: pb.Plan) -> Iterator[str]:
    """One line for each worker that is not ready and has had an error."""
    for worker in plan.workers:
        if worker.last_error and worker.phase != "ready":
            yield f"worker {worker.worker_id} is {worker.phase}: {worker.last_error}"
