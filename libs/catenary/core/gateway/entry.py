"""How a run comes to a gateway: submitted and admitted, or taken over from another owner; and how it leaves unrun."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial

from catenary.core.gateway.active import Actions, ActiveRuns
from catenary.core.gateway.adoption import rebuild
from catenary.core.gateway.course import RunCourse
from catenary.core.gateway.deadlines import Deadlines
from catenary.core.gateway.events import (
    CreateRun,
    Publish,
    Refuse,
    RunAdopted,
    RunCreated,
    RunFenced,
    RunNotCreated,
    RunSubmitted,
)
from catenary.core.gateway.forecast import BYTES_PER_TOKEN
from catenary.core.gateway.run import ActiveRun, input_tokens
from catenary.core.progress import RunProgress
from catenary.model.outcome import Outcome
from catenary.model.run import CallRestarted, Quote, RunAdmitted, RunRefused
from catenary.policy.admission import ADMISSIONS, AdmissionContext, AdmissionDecision
from catenary.policy.admission.company import others_loss
from catenary.policy.slack import PathCall, longest, tails
from catenary.policy.span import Span


class Entry:
    def __init__(self, active: ActiveRuns, course: RunCourse, deadlines: Deadlines) -> None:
        self._active = active
        self._course = course
        self._deadlines = deadlines
        self._settings = active.settings
        self._admit = ADMISSIONS[active.settings.admission]

    def submitted(self, event: RunSubmitted, now: float) -> Actions:
        bound = self._settings.max_active_runs
        if len(self._active.runs) >= bound:
            refusal = RunRefused(Outcome.REJECTED_CAPACITY, f"{bound} runs are active, the bound", Quote(0.0, 0.0))
            return [Refuse(event.run_id, refusal)]
        run = self._begin(event, now)
        decision = self._decide(run, now)
        if decision.outcome is not None:
            self._active.ended(run, met=False)
            return [Refuse(run.run_id, RunRefused(decision.outcome, decision.reason, decision.quote))]
        run.predicted_s = decision.predicted_s
        self._active.runs[run.run_id] = run
        slack = 0.0 if run.deadline_s is None else run.deadline_s - decision.predicted_s
        admitted = RunAdmitted(
            run.deadline_s or 0.0, decision.predicted_s, decision.probability, slack, run.workflow.version
        )
        return [CreateRun(run.run_id, run.event(admitted))]

    def created(self, event: RunCreated, now: float) -> Actions:
        run = self._active.runs.get(event.run_id)
        if run is None:
            return []
        run.epoch = event.epoch
        self._deadlines.watch(run, now)
        return self._course.advance(run, run.progress.start(), now)

    def adopted(self, event: RunAdopted, now: float) -> Actions:
        """Go on from the last finished call. What the calls under way had given so far is void."""
        run, step = rebuild(event, self._settings, now)
        self._active.runs[run.run_id] = run
        self._deadlines.watch(run, now)
        run.standing = self._active.standing(run)
        self._active.demand.follow(run.run_id, run.deadline, self._active.forecaster.path(run), now, run.standing)
        reason = f"the run was taken over by {self._settings.gateway_id}"
        next_attempt = run.attempts_from + 1
        actions: Actions = [
            Publish(run.event(CallRestarted(ready.ref, next_attempt, reason)), run.epoch) for ready in step.ready
        ]
        return actions + self._course.advance(run, step, now)

    def not_created(self, event: RunNotCreated, now: float) -> Actions:
        self._active.forget(event.run_id)
        return []

    def fenced(self, event: RunFenced, now: float) -> Actions:
        run = self._active.forget(event.run_id)
        return [] if run is None else self._active.take_back_all(run)

    def _begin(self, event: RunSubmitted, now: float) -> ActiveRun:
        slo = event.workflow.workflow.slo
        return ActiveRun(
            run_id=event.run_id,
            workflow=event.workflow,
            progress=RunProgress(event.workflow, event.inputs, self._settings.limits),
            submitted_at=now,
            deadline_s=event.deadline_s if event.deadline_s is not None else slo.deadline_s,
            tenant=event.tenant,
            priority=event.priority,
            input_tokens=input_tokens(event.inputs, BYTES_PER_TOKEN),
            owner=self._settings.gateway_id,
        )

    def _deferrable(self, run: ActiveRun, models: Collection[str], now: float) -> dict[str, float]:
        """Of the pools in which calls wait, where the least slack comes first."""
        if not self._settings.by_slack or run.deadline_s is None:
            return {}
        pools = {model: self._active.forecaster.pools.get(model) for model in models}
        deadline = now + run.deadline_s
        demand = self._active.demand
        return {
            model: demand.deferrable(model, deadline, now)
            for model, pool in pools.items()
            if pool is not None and pool.queued_work_s > 0
        }

    def _others_loss(
        self, calls: Sequence[PathCall], path: Span, deadline_s: float | None, models: Collection[str]
    ) -> float:
        """Of a run whose lengths are all learned."""
        if deadline_s is None:
            return 0.0
        forecaster = self._active.forecaster
        return others_loss(path, partial(forecaster.fuller, calls), deadline_s, map(forecaster.pools.get, models))

    def _decide(self, run: ActiveRun, now: float) -> AdmissionDecision:
        """Admitted runs are counted in the demand from here on."""
        forecaster, demand = self._active.forecaster, self._active.demand
        calls = forecaster.path(run)
        self._active.arrivals.observe(run.workflow.workflow.name, run.deadline_s, calls, forecaster.profiles)
        models = tuple(dict.fromkeys(compiled.call.model for compiled in run.workflow.calls))
        after = tails(calls)
        path, briefest = longest(calls, after), forecaster.briefest(run, calls)
        decision = self._admit(
            AdmissionContext(
                path,
                run.deadline_s,
                models,
                forecaster.pools,
                self._settings.admit_probability,
                briefest,
                self._deferrable(run, models, now),
                self._others_loss(calls, path, run.deadline_s, models) if briefest is None else 0.0,
            )
        )
        if decision.outcome is not None:
            return decision
        run.standing = self._active.standing(run)
        demand.follow(run.run_id, run.deadline, calls, now, run.standing, after)
        demand.arrived(run.run_id, now)
        refused = self._active.turned_away(run, now)
        if refused:
            demand.forget(run.run_id)
            return replace(decision, outcome=Outcome.REJECTED_INFEASIBLE, reason=refused)
        self._active.shares.admit(run.tenant, sum(call.work_s * call.probability for call in calls), now)
        return decision
