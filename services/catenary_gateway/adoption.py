"""What the store kept of a run, as the core takes it."""

from __future__ import annotations

from collections.abc import Sequence

from catenary.core.gateway.events import EndRun, RunAdopted, RunSubmitted
from catenary.model.outcome import Outcome, State
from catenary.model.run import Run, RunEvent, RunFinished
from catenary.model.workflow import CallRef, OnMiss
from catenary.runtime.store.runs import StoredRun
from catenary.runtime.wire.enums import priority_from_proto
from catenary.runtime.wire.run import record_from_proto
from catenary.v1 import run_pb2


def adopted(submitted: RunSubmitted, epoch: int, age_s: float, events: Sequence[run_pb2.RunEvent]) -> RunAdopted:
    """An attempt counts from its announcement on: its start may have been lost with its owner."""
    attempts: dict[str, int] = {}
    for event in events:
        kind = event.WhichOneof("event")
        if kind in ("call_started", "call_restarted"):
            begun = event.call_started if kind == "call_started" else event.call_restarted
            ref = str(CallRef(begun.name, begun.index if begun.HasField("index") else None))
            attempts[ref] = max(begun.attempt, attempts.get(ref, 0))
    return RunAdopted(
        submitted=submitted,
        epoch=epoch,
        age_s=age_s,
        sequence=len(events),
        predicted_s=events[0].run_admitted.predicted_s if events else 0.0,
        finished=[record_from_proto(event.call_finished.call) for event in events if event.HasField("call_finished")],
        attempts=attempts,
    )


def unreadable(stored: StoredRun, epoch: int, num_events: int, reason: str) -> EndRun:
    """The end of a run whose request this gateway does not take, such as one from a release with other bounds."""
    header = run_pb2.Run.FromString(stored.header)
    run = Run(
        run_id=stored.run_id,
        workflow=header.workflow,
        workflow_version=header.workflow_version,
        state=State.FINISHED,
        outcome=Outcome.FAILED,
        reason=f"cannot be gone on with: {reason}",
        met=False,
        deadline_s=header.deadline_s,
        e2e_s=0.0,
        predicted_s=header.predicted_s,
        tenant=header.tenant,
        priority=priority_from_proto(header.priority),
        on_miss=OnMiss.FINISH,
        output=None,
        calls=(),
        owner=header.owner,
        epoch=epoch,
    )
    finished = RunFinished(Outcome.FAILED, False, 0.0, None, run.reason)
    return EndRun(RunEvent(stored.run_id, num_events + 1, finished), run)
