"""Our words and the proto enums: a proto value is its word with the enum's prefix."""

from __future__ import annotations

from typing import cast

from catenary.model.outcome import FinishReason, Outcome, PriorityClass, State
from catenary.model.workflow import OnMiss
from catenary.v1 import run_pb2, worker_service_pb2, workflow_pb2

OUTCOME_TO_PROTO = {word: cast("run_pb2.Outcome", run_pb2.Outcome.Value(f"OUTCOME_{word}")) for word in Outcome}
OUTCOME_FROM_PROTO: dict[int, Outcome] = {number: word for word, number in OUTCOME_TO_PROTO.items()}

STATE_TO_PROTO = {word: cast("run_pb2.State", run_pb2.State.Value(f"STATE_{word}")) for word in State}
STATE_FROM_PROTO: dict[int, State] = {number: word for word, number in STATE_TO_PROTO.items()}

PRIORITY_TO_PROTO = {
    word: cast("run_pb2.PriorityClass", run_pb2.PriorityClass.Value(f"PRIORITY_CLASS_{word}")) for word in PriorityClass
}
PRIORITY_FROM_PROTO: dict[int, PriorityClass] = {number: word for word, number in PRIORITY_TO_PROTO.items()}

ON_MISS_TO_PROTO = {
    word: cast("workflow_pb2.OnMiss", workflow_pb2.OnMiss.Value(f"ON_MISS_{word.upper()}")) for word in OnMiss
}

FINISH_REASON_TO_PROTO = {
    word: cast("worker_service_pb2.FinishReason", worker_service_pb2.FinishReason.Value(f"FINISH_REASON_{word}"))
    for word in FinishReason
}
FINISH_REASON_FROM_PROTO: dict[int, FinishReason] = {number: word for word, number in FINISH_REASON_TO_PROTO.items()}


def outcome_from_proto(number: int) -> Outcome:
    """An unknown or unset value reads as FAILED."""
    return OUTCOME_FROM_PROTO.get(number, Outcome.FAILED)


def ended_from_proto(number: int) -> Outcome | None:
    """None where it is unset: nothing has ended yet. An unknown value reads as FAILED."""
    return outcome_from_proto(number) if number else None


def state_from_proto(number: int, outcome: int) -> State:
    """An unknown value reads as FINISHED with an outcome, as PENDING without."""
    return STATE_FROM_PROTO.get(number, State.FINISHED if outcome else State.PENDING)


def finish_reason_from_proto(number: int) -> FinishReason:
    """An unknown or unset value reads as ERROR: it is no success."""
    return FINISH_REASON_FROM_PROTO.get(number, FinishReason.ERROR)


def priority_from_proto(number: int) -> PriorityClass:
    """An unknown or unset value reads as STANDARD."""
    return PRIORITY_FROM_PROTO.get(number, PriorityClass.STANDARD)
