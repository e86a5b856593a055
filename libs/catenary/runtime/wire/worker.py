"""Workers' snapshots between the model and the wire."""

from __future__ import annotations

from dataclasses import fields

from catenary.model.worker import Replica, ReplicaState, ResidentCall, Worker
from catenary.v1 import worker_service_pb2 as pb

_REPLICA_FIELDS = tuple(field.name for field in fields(Replica) if field.name not in ("state", "calls"))
_WORKER_FIELDS = tuple(field.name for field in fields(Worker) if field.name != "replicas")
_CALL_FIELDS = tuple(field.name for field in fields(ResidentCall))


def worker_to_proto(worker: Worker) -> pb.WorkerSnapshot:
    return pb.WorkerSnapshot(
        replicas=[replica_to_proto(replica) for replica in worker.replicas],
        **{name: getattr(worker, name) for name in _WORKER_FIELDS},
    )


def worker_from_proto(message: pb.WorkerSnapshot) -> Worker:
    """A replica in a state that this version does not know counts as dead."""
    return Worker(
        replicas=tuple(replica_from_proto(replica) for replica in message.replicas),
        **{name: getattr(message, name) for name in _WORKER_FIELDS},
    )


def replica_to_proto(replica: Replica) -> pb.ReplicaSnapshot:
    return pb.ReplicaSnapshot(
        state=f"REPLICA_STATE_{replica.state}",
        calls=[pb.ResidentCall(**{name: getattr(call, name) for name in _CALL_FIELDS}) for call in replica.calls],
        **{name: getattr(replica, name) for name in _REPLICA_FIELDS},
    )


def replica_from_proto(message: pb.ReplicaSnapshot) -> Replica:
    return Replica(
        state=state_from_proto(message.state),
        calls=tuple(ResidentCall(**{name: getattr(call, name) for name in _CALL_FIELDS}) for call in message.calls),
        **{name: getattr(message, name) for name in _REPLICA_FIELDS},
    )


def state_from_proto(state: pb.ReplicaState) -> ReplicaState:
    try:
        return ReplicaState(pb.ReplicaState.Name(state).removeprefix("REPLICA_STATE_"))
    except ValueError:
        return ReplicaState.DEAD
