"""Which engines have room together: awake on the accelerator, or asleep in host memory."""

from __future__ import annotations

from collections.abc import Iterable

from catenary.core.worker.replica import JobKind, JobQueue, ReplicaRecord
from catenary.model.sizes import gib
from catenary.model.worker import IN_HOST, ReplicaState


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


def host_shortage(record: ReplicaRecord, records: Iterable[ReplicaRecord], host_bytes: int) -> str:
    """Why the replica's weights cannot be kept in host memory beside those that are there; empty: they can."""
    kept = [other for other in records if other is not record and other.sleep_level == IN_HOST]
    taken, needed = sum(other.facts.weights_bytes for other in kept), record.facts.weights_bytes
    if not host_bytes or taken + needed <= host_bytes:
        return ""
    others = ", ".join(sorted(other.settings.model for other in kept)) or "nobody"
    return (
        f"model {record.settings.model!r} asleep needs {gib(needed)} of host memory; {gib(taken)} of {gib(host_bytes)} "
        f"are taken by {others}; sleep at level 2, or raise the worker's host_memory_gib"
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
