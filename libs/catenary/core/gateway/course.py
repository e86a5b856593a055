"""The course of a run: which calls follow from an end, what losing it means, and its own end."""

from __future__ import annotations

from typing import Any

from catenary.core.gateway.active import Actions, ActiveRuns
from catenary.core.gateway.events import EndRun, Publish, Tokenize
from catenary.core.gateway.placement import offer, take_back
from catenary.core.gateway.run import ActiveCall, ActiveRun
from catenary.core.progress import Step
from catenary.model.outcome import Outcome, State
from catenary.model.run import CallFinished, CallRecord, RunFinished
from catenary.model.workflow import CallRef, OnMiss


class RunCourse:
    def __init__(self, active: ActiveRuns) -> None:
        self._active = active

    def advance(self, run: ActiveRun, step: Step, now: float) -> Actions:
        """Tell of skipped calls, begin with ready ones, end the run where it has ended."""
        actions: Actions = [self._skip(run, ref, now) for ref in step.skipped]
        for ready in step.ready:
            call = ActiveCall(
                f"{run.run_id}/{ready.ref}",
                ready,
                now,
                max_tokens=ready.call.sampling.max_tokens,
                attempt=run.attempts_from,
            )
            self._active.hold(run, call)
            if ready.ref.index in (None, 0):
                self._learn_shape(run, ready.ref)
            actions.append(Tokenize(run.run_id, ready))
        if step.ended is not None:
            if step.ended.failed is not None and str(step.ended.failed) not in run.records:
                actions.append(_never_started(run, step.ended.failed, step.ended.reason, now))
            actions += self.end(run, step.ended.outcome, step.ended.reason, now, step.ended.output)
        return actions

    def fail_call(self, run: ActiveRun, call: ActiveCall, outcome: Outcome, reason: str, now: float) -> Actions:
        record = call.record(run, now, state=State.FINISHED, outcome=outcome, error=reason, finish_reason="error")
        self._active.drop(run, call)
        run.records[str(call.ref)] = record
        actions: Actions = [Publish(run.event(CallFinished(record)), run.epoch)]
        return actions + self.advance(run, run.progress.fail(call.ref, outcome, reason), now)

    def lose(self, run: ActiveRun, reason: str, now: float) -> Actions:
        """The run cannot end in time: it fails, or goes on among the late ones."""
        if run.on_miss is OnMiss.FAIL:
            return self.end(run, Outcome.EXPIRED, reason, now)
        run.late = True
        self._active.demand.forget(run.run_id)
        waiting = [call for call in run.calls.values() if call.prompt_token_ids and not call.is_placed]
        actions: Actions = []
        for call in waiting:
            actions += take_back(run, call)
            actions.append(offer(run, call, self._active.forecaster, self._active.settings.gateway_id, now))
        return actions

    def end(self, run: ActiveRun, outcome: Outcome, reason: str, now: float, output: Any = None) -> Actions:
        actions = self._active.take_back_all(run)
        for call in list(run.calls.values()):
            record = call.record(run, now, state=State.FINISHED, outcome=Outcome.CANCELLED, error=reason)
            run.records[str(call.ref)] = record
            self._active.drop(run, call)
        self._active.forget(run.run_id)
        if outcome is Outcome.SUCCEEDED:
            self._active.forecaster.observe_end(run, now)
        view = run.view(now, outcome, reason, output)
        if outcome is not Outcome.CANCELLED:
            self._active.ended(run, met=view.met)
        finished = run.event(RunFinished(outcome, view.met, view.e2e_s, output, reason))
        return [*actions, EndRun(finished, view)]

    def _skip(self, run: ActiveRun, ref: CallRef, now: float) -> Publish:
        model = run.workflow.by_name[ref.name].call.model
        start_s = now - run.submitted_at
        record = CallRecord(ref, model, state=State.FINISHED, outcome=Outcome.SKIPPED, start_s=start_s)
        run.records[str(ref)] = record
        self._active.forecaster.shapes.observe_branch(run.workflow.version, ref.name, taken=False)
        return Publish(run.event(CallFinished(record)), run.epoch)

    def _learn_shape(self, run: ActiveRun, ref: CallRef) -> None:
        shapes, version = self._active.forecaster.shapes, run.workflow.version
        if run.workflow.by_name[ref.name].call.when is not None:
            shapes.observe_branch(version, ref.name, taken=True)
        items = run.progress.items(ref.name)
        if items is not None:
            shapes.observe_items(version, ref.name, items)


def _never_started(run: ActiveRun, ref: CallRef, reason: str, now: float) -> Publish:
    """The end of a call whose templates could not be rendered."""
    record = CallRecord(
        ref,
        run.workflow.by_name[ref.name].call.model,
        state=State.FINISHED,
        outcome=Outcome.FAILED,
        error=reason,
        finish_reason="error",
        start_s=now - run.submitted_at,
    )
    run.records[str(ref)] = record
    return Publish(run.event(CallFinished(record)), run.epoch)
