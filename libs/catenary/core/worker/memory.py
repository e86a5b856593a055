"""Which engines have room on the accelerator together."""

from __future__ import annotations

from collections.abc import Iterable

from catenary.core.worker.replica import JobKind, JobQueue, ReplicaRecord
from catenary.model.worker import ReplicaState

_GIB = 1 << 30


def too_large(record: ReplicaRecord, records: Iterable[ReplicaRecord], jobs: JobQueue, budget_bytes: int) -> str:
    """Why the replica cannot be awake beside those that are, or are on their way there; empty: it can.

    One that an earlier job puts to sleep or ends has left by then. Replicas of unknown size are not counted.
    """
    needed, model = record.awake_bytes, record.settings.model
    staying = [other for other in records if other is not record and other.awake_bytes and _stays(other, jobs)]
    taken = sum(other.awake_bytes for other in staying)
    if not (budget_bytes and needed and needed + taken > budget_bytes):
        return ""
    others = ", ".join(sorted(other.settings.model for other in staying)) or "nobody"
    return (
        f"model {model!r} needs {gib(needed)} awake; {gib(taken)} of {gib(budget_bytes)} are taken by {others}; "
        f"put one to sleep first, or raise the worker's memory_gib"
    )


def _stays(record: ReplicaRecord, jobs: JobQueue) -> bool:
    model = record.settings.model
    match record.state:
        case ReplicaState.DEAD:
            return False
        case ReplicaState.ASLEEP:
            return jobs.find(model, (JobKind.WAKE,)) is not None
        case _:
            return jobs.find(model, (JobKind.SLEEP, JobKind.STOP)) is None


def gib(num_bytes: int) -> str:
    return f"{num_bytes / _GIB:.1f} GiB"
