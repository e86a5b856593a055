"""The record of a run, put together from its events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from catenary.client.records import Run
from catenary.model import run as ev
from catenary.model.outcome import Outcome, State
from catenary.model.run import CallRecord
from catenary.model.workflow import CallRef


class RunAssembly:
    """Follows the events of one run. ``order`` names the calls as the workflow does; others come as they appear."""

    def __init__(self, run_id: str, workflow: str = "", order: Sequence[str] = ()) -> None:
        self._run = Run(run_id=run_id, workflow=workflow)
        self._rank = {name: position for position, name in enumerate(order)}
        self._calls: dict[CallRef, CallRecord] = {}

    @property
    def ended(self) -> bool:
        return self._run.outcome is not None

    def add(self, event: ev.RunEventBody) -> None:
        match event:
            case ev.RunAdmitted():
                self._run = replace(
                    self._run,
                    state=State.RUNNING,
                    deadline_s=event.deadline_s,
                    predicted_s=event.predicted_s,
                    probability=event.probability,
                    workflow_version=event.workflow_version,
                )
            case ev.RunRefused():
                self._run = replace(
                    self._run, state=State.FINISHED, outcome=event.outcome, reason=event.reason, quote=event.quote
                )
            case ev.CallStarted():
                self._start(event)
            case ev.CallFinished():
                self._put(event.record)
            case ev.RunFinished():
                self._end(event)

    def run(self) -> Run:
        calls = sorted(self._calls.values(), key=self._position)
        return replace(self._run, calls=tuple(calls))

    def _position(self, record: CallRecord) -> tuple[int, int]:
        return self._rank[record.ref.name], -1 if record.ref.index is None else record.ref.index

    def _start(self, event: ev.CallStarted) -> None:
        known = self._calls.get(event.ref) or CallRecord(event.ref, event.model)
        self._put(
            replace(
                known,
                model=event.model,
                worker=event.worker,
                state=State.RUNNING,
                attempts=event.attempt,
                prompt_tokens=event.prompt_tokens,
                slack_before_s=event.slack_s,
            )
        )

    def _put(self, record: CallRecord) -> None:
        self._rank.setdefault(record.ref.name, len(self._rank))
        self._calls[record.ref] = record

    def _end(self, event: ev.RunFinished) -> None:
        """Calls that are under way end with their run, as in the gateway's own record."""
        for ref, call in self._calls.items():
            if call.state is not State.FINISHED:
                self._calls[ref] = replace(call, state=State.FINISHED, outcome=Outcome.CANCELLED, error=event.reason)
        self._run = replace(
            self._run,
            state=State.FINISHED,
            outcome=event.outcome,
            met=event.met,
            e2e_s=event.e2e_s,
            output=event.output,
            reason=event.reason,
        )
