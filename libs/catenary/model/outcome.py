"""How runs and calls end, and where they are. Values equal the proto enums without their prefix."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    SUCCEEDED = "SUCCEEDED"
    REJECTED_INFEASIBLE = "REJECTED_INFEASIBLE"
    REJECTED_CAPACITY = "REJECTED_CAPACITY"
    NO_WORKERS = "NO_WORKERS"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class State(StrEnum):
    PENDING = "PENDING"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"


class PriorityClass(StrEnum):
    CRITICAL = "CRITICAL"
    STANDARD = "STANDARD"
    BATCH = "BATCH"


class FinishReason(StrEnum):
    """Why a call ended at its worker."""

    STOP = "STOP"
    LENGTH = "LENGTH"
    ABORTED = "ABORTED"
    ERROR = "ERROR"
    REPLICA_DRAINING = "REPLICA_DRAINING"
    STALE_EPOCH = "STALE_EPOCH"
    INVALID = "INVALID"
    OVERLOADED = "OVERLOADED"

    @property
    def is_success(self) -> bool:
        return self in (FinishReason.STOP, FinishReason.LENGTH)

    @property
    def never_started(self) -> bool:
        """The call did not fail, so placing it again counts as no attempt: it was not started, or had to leave a
        replica that is put to sleep."""
        return self in (FinishReason.REPLICA_DRAINING, FinishReason.OVERLOADED)
