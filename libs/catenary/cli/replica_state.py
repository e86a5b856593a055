"""A replica's state in a word."""

from __future__ import annotations

from catenary.v1.worker_service_pb2 import REPLICA_STATE_DEAD, ReplicaSnapshot, ReplicaState

NOT_LOADED = "NOT LOADED"


def state_of(replica: ReplicaSnapshot) -> str:
    """The state's name; NOT_LOADED for one whose engine has never been started."""
    if replica.state == REPLICA_STATE_DEAD and not replica.generation and not replica.error:
        return NOT_LOADED
    return ReplicaState.Name(replica.state).removeprefix("REPLICA_STATE_")
