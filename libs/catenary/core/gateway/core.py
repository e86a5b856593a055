"""The scheduler-gateway: runs and their calls, from admission to outcome. Synchronous; one owner task feeds it."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from typing import Any

from catenary.core.gateway.adoption import ATTEMPT_GAP, rebuild
from catenary.core.gateway.demand import Demand
from catenary.core.gateway.events import (
    CallAssigned,
    CallEnded,
    CallProgressed,
    CallRejected,
    CallTokenized,
    CancelRequested,
    CreateRun,
    EndRun,
    GatewayAction,
    GatewayEvent,
    PoolsReported,
    ProfileChanged,
    Publish,
    Refuse,
    Release,
    ReportCall,
    RouterJoined,
    RunAdopted,
    RunCreated,
    RunFenced,
    RunNotCreated,
    RunSubmitted,
    Tick,
    Tokenize,
    TokenizeFailed,
    WorkerGone,
)
from catenary.core.gateway.forecast import BYTES_PER_TOKEN, Forecaster
from catenary.core.gateway.placement import offer, slack_s, start, take_back
from catenary.core.gateway.run import ActiveCall, ActiveRun, input_tokens
from catenary.core.gateway.settings import GatewaySettings, ModelInfo
from catenary.core.progress import RunProgress, Step
from catenary.model.dispatch import NEVER
from catenary.model.outcome import FinishReason, Outcome, State
from catenary.model.profile import EngineProfile
from catenary.model.run import (
    CallFinished,
    CallRecord,
    CallRestarted,
    CallStarted,
    CallTokens,
    Quote,
    Run,
    RunAdmitted,
    RunFinished,
    RunRefused,
)
from catenary.model.workflow import CallRef, OnMiss
from catenary.policy.admission import ADMISSIONS, AdmissionContext
from catenary.policy.prediction import duration_s
from catenary.policy.slack import longest, shortest_way
from catenary.policy.span import Z95

Actions = list[GatewayAction]


class GatewayCore:
    """``handle(event, now)`` returns what is to be done. ``profiles`` and ``models`` have the same keys."""

    def __init__(
        self, settings: GatewaySettings, models: Mapping[str, ModelInfo], profiles: Mapping[str, EngineProfile]
    ) -> None:
        self.settings = settings
        self.forecaster = Forecaster(models, profiles)
        self.demand = Demand(settings.crowd_margin)
        self.runs: dict[str, ActiveRun] = {}
        self._admit = ADMISSIONS[settings.admission]
        self._timers: list[tuple[float, str]] = []
        self._calls: dict[str, tuple[ActiveRun, ActiveCall]] = {}
        self._handlers: dict[type, Callable[[Any, float], Actions]] = {
            RunSubmitted: self._submitted,
            RunAdopted: self._adopted,
            RunCreated: self._created,
            RunNotCreated: self._not_created,
            RunFenced: self._fenced,
            CallTokenized: self._tokenized,
            TokenizeFailed: self._tokenize_failed,
            CallAssigned: self._assigned,
            CallRejected: self._rejected,
            CallProgressed: self._progressed,
            CallEnded: self._ended,
            WorkerGone: self._worker_gone,
            RouterJoined: self._router_joined,
            PoolsReported: self._pools_reported,
            ProfileChanged: self._profile_changed,
            CancelRequested: self._cancelled,
            Tick: self._tick,
        }

    def handle(self, event: GatewayEvent, now: float) -> Actions:
        return self._handlers[type(event)](event, now)

    def next_timer(self) -> float | None:
        """When the next Tick is due."""
        return self._timers[0][0] if self._timers else None

    def view(self, run_id: str, now: float) -> Run | None:
        run = self.runs.get(run_id)
        return run.view(now) if run is not None else None

    # -- a run begins

    def _submitted(self, event: RunSubmitted, now: float) -> Actions:
        if len(self.runs) >= self.settings.max_active_runs:
            bound = self.settings.max_active_runs
            refusal = RunRefused(Outcome.REJECTED_CAPACITY, f"{bound} runs are active, the bound", Quote(0.0, 0.0))
            return [Refuse(event.run_id, refusal)]
        slo = event.workflow.workflow.slo
        run = ActiveRun(
            run_id=event.run_id,
            workflow=event.workflow,
            progress=RunProgress(event.workflow, event.inputs, self.settings.limits),
            submitted_at=now,
            deadline_s=event.deadline_s if event.deadline_s is not None else slo.deadline_s,
            tenant=event.tenant,
            priority=event.priority,
            input_tokens=input_tokens(event.inputs, BYTES_PER_TOKEN),
            owner=self.settings.gateway_id,
        )
        calls = self.forecaster.path(run)
        path = longest(calls)
        models = {compiled.call.model for compiled in event.workflow.calls}
        decision = self._admit(
            AdmissionContext(path, run.deadline_s, models, self.forecaster.pools, self.settings.admit_probability)
        )
        if decision.outcome is not None:
            return [Refuse(run.run_id, RunRefused(decision.outcome, decision.reason, decision.quote))]
        self.demand.follow(run.run_id, run.deadline, calls)
        crowded = self._crowded_out(run, now)
        if crowded:
            self.demand.forget(run.run_id)
            return [Refuse(run.run_id, RunRefused(Outcome.REJECTED_INFEASIBLE, crowded, decision.quote))]
        run.predicted_s = decision.predicted_s
        self.runs[run.run_id] = run
        slack = 0.0 if run.deadline_s is None else run.deadline_s - decision.predicted_s
        admitted = RunAdmitted(
            run.deadline_s or 0.0, decision.predicted_s, decision.probability, slack, run.workflow.version
        )
        return [CreateRun(run.run_id, run.event(admitted))]

    def _created(self, event: RunCreated, now: float) -> Actions:
        run = self.runs.get(event.run_id)
        if run is None:
            return []
        run.epoch = event.epoch
        self._watch_deadline(run, now)
        return self._advance(run, run.progress.start(), now)

    def _watch_deadline(self, run: ActiveRun, now: float) -> None:
        if run.deadline != NEVER and self.settings.shed_lost:
            self._recheck_at(run, now + self.settings.recheck_s)

    def _adopted(self, event: RunAdopted, now: float) -> Actions:
        """Go on from the last finished call. What the calls under way had given so far is void."""
        run, step = rebuild(event, self.settings, now)
        self.runs[run.run_id] = run
        self._watch_deadline(run, now)
        self.demand.follow(run.run_id, run.deadline, self.forecaster.path(run))
        reason = f"the run was taken over by {self.settings.gateway_id}"
        first = ATTEMPT_GAP + max(event.attempts.values(), default=0)
        actions: Actions = [
            Publish(run.event(CallRestarted(ready.ref, first + 1, reason)), run.epoch) for ready in step.ready
        ]
        actions += self._advance(run, step, now)
        for call in run.calls.values():
            call.attempt = first
        return actions

    def _not_created(self, event: RunNotCreated, now: float) -> Actions:
        self.runs.pop(event.run_id, None)
        self.demand.forget(event.run_id)
        return []

    def _fenced(self, event: RunFenced, now: float) -> Actions:
        run = self.runs.pop(event.run_id, None)
        self.demand.forget(event.run_id)
        return [] if run is None else self._take_back_all(run)

    # -- its calls

    def _advance(self, run: ActiveRun, step: Step, now: float) -> Actions:
        actions: Actions = []
        for ref in step.skipped:
            record = CallRecord(
                ref,
                run.workflow.by_name[ref.name].call.model,
                state=State.FINISHED,
                outcome=Outcome.SKIPPED,
                start_s=now - run.submitted_at,
            )
            run.records[str(ref)] = record
            self.forecaster.observe_branch(run.workflow.version, ref.name, taken=False)
            actions.append(Publish(run.event(CallFinished(record)), run.epoch))
        for ready in step.ready:
            call = ActiveCall(f"{run.run_id}/{ready.ref}", ready, now, max_tokens=ready.call.sampling.max_tokens)
            run.calls[str(ready.ref)] = call
            self._calls[call.call_id] = (run, call)
            if ready.ref.index in (None, 0):
                self._learn_shape(run, ready.ref)
            actions.append(Tokenize(run.run_id, ready))
        if step.ended is not None:
            if step.ended.failed is not None and str(step.ended.failed) not in run.records:
                actions.append(self._never_started(run, step.ended.failed, step.ended.reason, now))
            actions += self._end(run, step.ended.outcome, step.ended.reason, now, step.ended.output)
        return actions

    def _never_started(self, run: ActiveRun, ref: CallRef, reason: str, now: float) -> Publish:
        """A call whose templates could not be rendered."""
        model = run.workflow.by_name[ref.name].call.model
        record = CallRecord(
            ref,
            model,
            state=State.FINISHED,
            outcome=Outcome.FAILED,
            error=reason,
            finish_reason="error",
            start_s=now - run.submitted_at,
        )
        run.records[str(ref)] = record
        return Publish(run.event(CallFinished(record)), run.epoch)

    def _learn_shape(self, run: ActiveRun, ref: CallRef) -> None:
        if run.workflow.by_name[ref.name].call.when is not None:
            self.forecaster.observe_branch(run.workflow.version, ref.name, taken=True)
        items = run.progress.items(ref.name)
        if items is not None:
            self.forecaster.observe_items(run.workflow.version, ref.name, items)

    def _tokenized(self, event: CallTokenized, now: float) -> Actions:
        run = self.runs.get(event.run_id)
        call = run.calls.get(str(event.ref)) if run is not None else None
        if run is None or call is None:
            return []
        call.prompt_token_ids = event.token_ids
        call.prefix_hashes = event.prefix_hashes
        run.known_prompts[event.ref.name] = len(event.token_ids)
        context = self.forecaster.models[call.model].max_model_len
        if context and len(event.token_ids) >= context:
            reason = f"prompt of {len(event.token_ids)} tokens; {call.model} holds {context} with the output"
            return self._fail_call(run, call, Outcome.FAILED, reason, now)
        if context:
            call.max_tokens = min(call.max_tokens, context - len(event.token_ids))
        path = self.forecaster.path(run)
        actions: Actions = []
        if not run.late:
            self.demand.follow(run.run_id, run.deadline, path)
            crowded = self._crowded_out(run, now)
            if crowded:
                actions += self._lose(run, crowded, now)
        if run.run_id in self.runs:
            actions.append(offer(run, call, self.forecaster, self.settings.gateway_id, now, path))
        return actions

    def _crowded_out(self, run: ActiveRun, now: float) -> str:
        """Why the run has to miss, where somebody must; empty: it need not."""
        if not self.settings.shed_crowded:
            return ""
        model = self.demand.crowded_out(run.run_id, self.forecaster.pools, now)
        return f"{model} cannot serve it in time beside the runs already there" if model else ""

    def _tokenize_failed(self, event: TokenizeFailed, now: float) -> Actions:
        run = self.runs.get(event.run_id)
        call = run.calls.get(str(event.ref)) if run is not None else None
        if run is None or call is None:
            return []
        return self._fail_call(run, call, Outcome.FAILED, event.reason, now)

    def _assigned(self, event: CallAssigned, now: float) -> Actions:
        run, call = self._find(event.call_id, event.attempt)
        if run is None or call is None or call.is_placed:
            return [Release(event.call_id, event.attempt, 0)]
        self.demand.placed(run.run_id, call.model)
        action = start(run, call, event, now)
        begun = CallStarted(
            call.ref, call.attempt, call.worker_id, call.model, len(call.prompt_token_ids), action.slack_s
        )
        return [action, Publish(run.event(begun), run.epoch)]

    def _rejected(self, event: CallRejected, now: float) -> Actions:
        run, call = self._find(event.call_id, event.attempt)
        if run is None or call is None or call.is_placed:
            return []
        if event.outcome is not Outcome.EXPIRED:
            return self._fail_call(run, call, event.outcome, event.reason, now)
        call.offered = False
        return self._lose(run, event.reason, now)

    def _progressed(self, event: CallProgressed, now: float) -> Actions:
        run, call = self._find(event.call_id, event.attempt)
        if run is None or call is None:
            return []
        have = len(call.token_ids)
        if event.offset != have:
            return self._retry(run, call, FinishReason.ERROR, f"tokens from {event.offset}, expected {have}", now)
        if not call.first_token_at:
            call.first_token_at = now
        call.token_ids.extend(event.token_ids)
        if event.text:
            call.text.append(event.text)
        tokens = CallTokens(call.ref, call.attempt, event.offset, len(event.token_ids), event.text)
        return [Publish(run.event(tokens, stored=False), run.epoch)]

    def _ended(self, event: CallEnded, now: float) -> Actions:
        run, call = self._find(event.call_id, event.attempt)
        if run is None or call is None:
            return []
        if event.finish_reason.is_success:
            return self._succeed(run, call, event, now)
        if event.finish_reason is FinishReason.INVALID:
            actions: Actions = [Release(call.call_id, call.attempt, 0)]
            call.worker_id = ""
            return actions + self._fail_call(run, call, Outcome.FAILED, event.error, now)
        return self._retry(run, call, event.finish_reason, event.error, now)

    def _succeed(self, run: ActiveRun, call: ActiveCall, event: CallEnded, now: float) -> Actions:
        output_tokens = len(call.token_ids)
        record = call.record(
            run,
            now,
            state=State.FINISHED,
            outcome=Outcome.SUCCEEDED,
            queue_s=call.started_at - call.ready_at + event.queue_s,
            slack_after_s=slack_s(run, call.rest, now),
            prompt_tokens=event.prompt_tokens or len(call.prompt_token_ids),
            cached_tokens=event.cached_tokens,
            finish_reason=event.finish_reason.lower(),
        )
        self._drop(run, call)
        run.records[str(call.ref)] = record
        spec = call.ready.call
        self.forecaster.observe_output(run, spec, output_tokens)
        run.num_ended += 1
        profile = self.forecaster.profiles[call.model]
        run.spent_s += profile.prefill_s(len(call.prompt_token_ids)) + output_tokens * profile.step_s(1)
        actions: Actions = [
            Release(call.call_id, call.attempt, output_tokens),
            Publish(run.event(CallFinished(record)), run.epoch),
            self._report(call, event, output_tokens),
        ]
        return actions + self._advance(run, run.progress.finish(call.ref, record.text), now)

    def _report(self, call: ActiveCall, event: CallEnded, output_tokens: int) -> ReportCall:
        profile, traffic = self.forecaster.profiles[call.model], self.forecaster.traffic(call.model)
        batch = max(1.0, event.mean_batch)
        predicted = duration_s(profile, len(call.prompt_token_ids), output_tokens, batch, traffic)
        return ReportCall(
            call.model,
            call.worker_id,
            len(call.prompt_token_ids),
            event.cached_tokens,
            output_tokens,
            event.mean_batch,
            event.service_s,
            predicted,
        )

    def _retry(self, run: ActiveRun, call: ActiveCall, why: FinishReason, error: str, now: float) -> Actions:
        """The attempt ended without a result: place the call again, its tokens so far at the end of its prompt."""
        actions: Actions = [Release(call.call_id, call.attempt, len(call.token_ids))]
        if not why.never_started and why is not FinishReason.STALE_EPOCH:
            call.failures += 1
        call.worker_id = ""
        if call.failures >= self.settings.max_attempts:
            reason = f"{call.failures} attempts failed, the bound; last: {error or why}"
            return actions + self._fail_call(run, call, Outcome.FAILED, reason, now)
        if len(call.token_ids) >= call.max_tokens or (call.token_ids and call.ready.call.sampling.json_schema):
            call.token_ids.clear()
            call.text.clear()
            restarted = CallRestarted(call.ref, call.attempt + 1, error or why)
            actions.append(Publish(run.event(restarted), run.epoch))
        return [*actions, offer(run, call, self.forecaster, self.settings.gateway_id, now)]

    def _fail_call(self, run: ActiveRun, call: ActiveCall, outcome: Outcome, reason: str, now: float) -> Actions:
        record = call.record(run, now, state=State.FINISHED, outcome=outcome, error=reason, finish_reason="error")
        self._drop(run, call)
        run.records[str(call.ref)] = record
        actions: Actions = [Publish(run.event(CallFinished(record)), run.epoch)]
        return actions + self._advance(run, run.progress.fail(call.ref, outcome, reason), now)

    # -- the cluster changes

    def _worker_gone(self, event: WorkerGone, now: float) -> Actions:
        actions: Actions = []
        for run, call in list(self._calls.values()):
            if call.worker_id == event.worker_id and call.call_id in self._calls:
                actions += self._retry(run, call, FinishReason.ERROR, f"worker {event.worker_id} was lost", now)
        return actions

    def _router_joined(self, event: RouterJoined, now: float) -> Actions:
        return [
            offer(run, call, self.forecaster, self.settings.gateway_id, now)
            for run, call in self._calls.values()
            if call.offered and not call.is_placed
        ]

    def _pools_reported(self, event: PoolsReported, now: float) -> Actions:
        self.forecaster.pools = {pool.model: pool for pool in event.pools}
        return []

    def _profile_changed(self, event: ProfileChanged, now: float) -> Actions:
        self.forecaster.profiles[event.profile.model] = event.profile
        return []

    # -- a run ends

    def _cancelled(self, event: CancelRequested, now: float) -> Actions:
        run = self.runs.get(event.run_id)
        return [] if run is None else self._end(run, Outcome.CANCELLED, event.reason, now)

    def _tick(self, event: Tick, now: float) -> Actions:
        actions: Actions = []
        while self._timers and self._timers[0][0] <= now:
            _, run_id = heapq.heappop(self._timers)
            run = self.runs.get(run_id)
            if run is None or run.deadline_s is None:
                continue
            if now < run.deadline:
                actions += self._recheck(run, now)
                continue
            end_at = run.submitted_at + run.deadline_s * self.settings.late_multiple
            if now >= end_at:
                reason = f"not finished at {self.settings.late_multiple:g} times its deadline of {run.deadline_s:g} s"
                actions += self._end(run, Outcome.EXPIRED, reason, now)
                continue
            if run.on_miss is OnMiss.FINISH:
                heapq.heappush(self._timers, (end_at, run_id))
            actions += self._lose(run, f"deadline of {run.deadline_s:g} s has passed", now)
        return actions

    def _recheck(self, run: ActiveRun, now: float) -> Actions:
        """A run that is lost by now makes room, where anybody waits for it."""
        if run.late or run.deadline == NEVER:
            return []
        left = run.deadline - now
        if not self._contended(run):
            self._recheck_at(run, now + self.settings.recheck_s)
            return []
        rest = longest(shortest_way(self.forecaster.path(run)))
        self._recheck_at(run, now + max(self.settings.recheck_s, (left - rest.at(Z95)) / 2))
        chance = rest.probability_within(left)
        if chance >= self.settings.lost_probability:
            return []
        return self._lose(run, f"P(in time) is {chance:.3f} with {left:.2f} s left", now)

    def _recheck_at(self, run: ActiveRun, at: float) -> None:
        heapq.heappush(self._timers, (min(run.deadline, at), run.run_id))

    def _contended(self, run: ActiveRun) -> bool:
        pools = self.forecaster.pools
        return any(call.model in pools and pools[call.model].num_queued > 0 for call in run.calls.values())

    def _lose(self, run: ActiveRun, reason: str, now: float) -> Actions:
        """The run cannot end in time: it fails, or goes on among the late ones."""
        if run.on_miss is OnMiss.FAIL:
            return self._end(run, Outcome.EXPIRED, reason, now)
        run.late = True
        self.demand.forget(run.run_id)
        waiting = [call for call in run.calls.values() if call.prompt_token_ids and not call.is_placed]
        actions: Actions = []
        for call in waiting:
            actions += take_back(run, call)
            actions.append(offer(run, call, self.forecaster, self.settings.gateway_id, now))
        return actions

    def _end(self, run: ActiveRun, outcome: Outcome, reason: str, now: float, output: Any = None) -> Actions:
        actions = self._take_back_all(run)
        for call in list(run.calls.values()):
            record = call.record(run, now, state=State.FINISHED, outcome=Outcome.CANCELLED, error=reason)
            run.records[str(call.ref)] = record
            self._drop(run, call)
        self.runs.pop(run.run_id, None)
        self.demand.forget(run.run_id)
        view = run.view(now, outcome, reason, output)
        finished = run.event(RunFinished(outcome, view.met, view.e2e_s, output, reason))
        return [*actions, EndRun(finished, view)]

    def _take_back_all(self, run: ActiveRun) -> Actions:
        actions: Actions = []
        for call in run.calls.values():
            actions += take_back(run, call)
            self._calls.pop(call.call_id, None)
        return actions

    def _drop(self, run: ActiveRun, call: ActiveCall) -> None:
        run.calls.pop(str(call.ref), None)
        self._calls.pop(call.call_id, None)

    def _find(self, call_id: str, attempt: int) -> tuple[ActiveRun, ActiveCall] | tuple[None, None]:
        run, call = self._calls.get(call_id, (None, None))
        if run is None or call is None or call.attempt != attempt:
            return None, None
        return run, call
