from __future__ import annotations

from catenary.runtime.config import WorkerConfig
from catenary.runtime.readiness import missing, problems
from catenary.v1 import provisioner_service_pb2 as pb
from catenary.v1 import worker_service_pb2 as worker_pb

WORKERS = [WorkerConfig(id="w0", models=["small"]), WorkerConfig(id="w1", models=["small", "large"])]


def planned(worker_id: str, phase: str, error: str = "", **states: worker_pb.ReplicaState) -> pb.PlannedWorker:
    replicas = [worker_pb.ReplicaSnapshot(model=model, state=state) for model, state in states.items()]
    snapshot = worker_pb.WorkerSnapshot(worker_id=worker_id, replicas=replicas)
    return pb.PlannedWorker(worker_id=worker_id, phase=phase, last_error=error, snapshot=snapshot)


def test_every_replica_that_is_not_awake_is_named() -> None:
    plan = pb.Plan(workers=[planned("w1", "starting", small=worker_pb.REPLICA_STATE_LOADING)])
    assert list(missing(plan, WORKERS)) == [
        "worker w0, model small: no replica (worker: not planned)",
        "worker w1, model small: LOADING (worker: starting)",
        "worker w1, model large: no replica (worker: starting)",
    ]


def test_nothing_is_missing_when_all_are_awake() -> None:
    awake = worker_pb.REPLICA_STATE_AWAKE
    plan = pb.Plan(workers=[planned("w0", "ready", small=awake), planned("w1", "ready", small=awake, large=awake)])
    assert list(missing(plan, WORKERS)) == []


def test_an_error_that_a_worker_has_recovered_from_is_no_problem() -> None:
    plan = pb.Plan(workers=[planned("w0", "ready", "killed"), planned("w1", "backing off", "no memory")])
    assert list(problems(plan)) == ["worker w1 is backing off: no memory"]
