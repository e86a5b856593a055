from __future__ import annotations

import pytest

from catenary.model.plan import Plan, PlannedWorker, WorkerPhase
from catenary.model.worker import Replica, ReplicaState, ResidentCall, Worker
from catenary.runtime.wire.plan import plan_to_proto
from catenary.runtime.wire.worker import state_from_proto, worker_from_proto, worker_to_proto
from catenary.v1 import worker_service_pb2 as pb


def full_worker(state: ReplicaState) -> Worker:
    call = ResidentCall("run/call[3]", 2, 7, 11, 13, True)
    replica = Replica(
        "small",
        state,
        5,
        16,
        2,
        3,
        4,
        0.5,
        (call,),
        True,
        "err",
        1.5,
        2048,
        0.25,
        1 << 40,
        1 << 41,
        "vllm 0.32.0",
        0.75,
    )
    return Worker("w0", "h:1", 9, (replica,), "NVIDIA H100", True, 1 << 42, 1 << 41, 2, 17)


@pytest.mark.parametrize("state", list(ReplicaState))
def test_a_worker_is_the_same_after_a_journey_over_the_wire(state: ReplicaState) -> None:
    worker = full_worker(state)
    wire = pb.WorkerSnapshot.FromString(worker_to_proto(worker).SerializeToString())
    assert worker_from_proto(wire) == worker


def test_a_state_that_is_not_known_counts_as_dead() -> None:
    assert state_from_proto(pb.REPLICA_STATE_UNSPECIFIED) is ReplicaState.DEAD


def test_a_plan_has_its_workers_on_the_wire() -> None:
    worker = PlannedWorker("w0", ("small",), WorkerPhase.BACKING_OFF, 2, 0.5, "h:1", "oom", 77)
    message = plan_to_proto(Plan(3, "static", (worker,), ("why",)), epoch=4)
    assert (message.epoch, message.revision, message.policy, list(message.reasons)) == (4, 3, "static", ["why"])
    (planned,) = message.workers
    assert (planned.phase, planned.restarts, planned.pid, planned.last_error) == ("backing off", 2, 77, "oom")
    assert not planned.HasField("snapshot")
