"""A call from its prompt to its end: offered, placed, producing tokens, ended or placed again."""

from __future__ import annotations

from catenary.core.gateway.active import Actions, ActiveRuns
from catenary.core.gateway.course import RunCourse
from catenary.core.gateway.events import (
    CallAssigned,
    CallEnded,
    CallProgressed,
    CallRejected,
    CallTokenized,
    Publish,
    Release,
    ReportCall,
    RouterJoined,
    TokenizeFailed,
    WorkerGone,
)
from catenary.core.gateway.placement import offer, slack_s, start
from catenary.core.gateway.run import ActiveCall, ActiveRun
from catenary.model.outcome import FinishReason, Outcome, State
from catenary.model.run import CallFinished, CallRestarted, CallStarted, CallTokens
from catenary.policy.prediction import duration_s
from catenary.policy.slack import tails


class Attempts:
    """Events of an attempt that is not the call's present one are passed over."""

    def __init__(self, active: ActiveRuns, course: RunCourse) -> None:
        self._active = active
        self._course = course
        self._settings = active.settings
        self._forecaster = active.forecaster

    def tokenized(self, event: CallTokenized, now: float) -> Actions:
        run = self._active.runs.get(event.run_id)
        call = run.calls.get(str(event.ref)) if run is not None else None
        if run is None or call is None:
            return []
        call.prompt_token_ids = event.token_ids
        call.prefix_hashes = event.prefix_hashes
        run.known_prompts[event.ref.name] = len(event.token_ids)
        context = self._forecaster.models[call.model].max_model_len
        if context and len(event.token_ids) >= context:
            reason = f"prompt of {len(event.token_ids)} tokens; {call.model} holds {context} with the output"
            return self._course.fail_call(run, call, Outcome.FAILED, reason, now)
        if context:
            call.max_tokens = min(call.max_tokens, context - len(event.token_ids))
        path = self._forecaster.path(run)
        after = tails(path)
        self._forecaster.foresee(run, path, after, now)
        actions: Actions = []
        if not run.late:
            run.standing = self._active.standing(run)
            self._active.demand.follow(run.run_id, run.deadline, path, now, run.standing, after)
            crowded = self._active.crowded_out(run, now)
            if crowded:
                actions += self._course.lose(run, crowded, now)
        if run.run_id in self._active.runs:
            actions.append(offer(run, call, self._forecaster, self._settings.gateway_id, now, after))
        return actions

    def tokenize_failed(self, event: TokenizeFailed, now: float) -> Actions:
        run = self._active.runs.get(event.run_id)
        call = run.calls.get(str(event.ref)) if run is not None else None
        if run is None or call is None:
            return []
        return self._course.fail_call(run, call, Outcome.FAILED, event.reason, now)

    def assigned(self, event: CallAssigned, now: float) -> Actions:
        run, call = self._active.find(event.call_id, event.attempt)
        if run is None or call is None or call.is_placed:
            return [Release(event.call_id, event.attempt, 0)]
        self._active.demand.placed(run.run_id, call.model)
        action = start(run, call, event, now)
        begun = CallStarted(
            call.ref, call.attempt, call.worker_id, call.model, len(call.prompt_token_ids), action.slack_s
        )
        return [action, Publish(run.event(begun), run.epoch)]

    def rejected(self, event: CallRejected, now: float) -> Actions:
        run, call = self._active.find(event.call_id, event.attempt)
        if run is None or call is None or call.is_placed:
            return []
        if event.outcome is not Outcome.EXPIRED:
            return self._course.fail_call(run, call, event.outcome, event.reason, now)
        call.offered = False
        return self._course.lose(run, event.reason, now)

    def progressed(self, event: CallProgressed, now: float) -> Actions:
        run, call = self._active.find(event.call_id, event.attempt)
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

    def ended(self, event: CallEnded, now: float) -> Actions:
        run, call = self._active.find(event.call_id, event.attempt)
        if run is None or call is None:
            return []
        if event.finish_reason.is_success:
            return self._succeed(run, call, event, now)
        if event.finish_reason is FinishReason.INVALID:
            actions: Actions = [Release(call.call_id, call.attempt, 0)]
            call.worker_id = ""
            return actions + self._course.fail_call(run, call, Outcome.FAILED, event.error, now)
        return self._retry(run, call, event.finish_reason, event.error, now)

    def worker_gone(self, event: WorkerGone, now: float) -> Actions:
        actions: Actions = []
        for run, call in list(self._active.calls.values()):
            if call.worker_id == event.worker_id and call.call_id in self._active.calls:
                actions += self._retry(run, call, FinishReason.ERROR, f"worker {event.worker_id} was lost", now)
        return actions

    def router_joined(self, event: RouterJoined, now: float) -> Actions:
        return [
            offer(run, call, self._forecaster, self._settings.gateway_id, now)
            for run, call in self._active.calls.values()
            if call.offered and not call.is_placed
        ]

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
        self._active.drop(run, call)
        run.records[str(call.ref)] = record
        self._forecaster.observe_output(run, call.ready.call, output_tokens)
        run.num_ended += 1
        profile = self._forecaster.profiles[call.model]
        run.spent_s += profile.prefill_s(len(call.prompt_token_ids)) + output_tokens * profile.step_s(1)
        actions: Actions = [
            Release(call.call_id, call.attempt, output_tokens),
            Publish(run.event(CallFinished(record)), run.epoch),
            self._report(call, event, output_tokens),
        ]
        return actions + self._course.advance(run, run.progress.finish(call.ref, record.text), now)

    def _report(self, call: ActiveCall, event: CallEnded, output_tokens: int) -> ReportCall:
        profile, traffic = self._forecaster.profiles[call.model], self._forecaster.traffic(call.model)
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
            call.predicted_s,
            call.predicted_high_s,
        )

    def _retry(self, run: ActiveRun, call: ActiveCall, why: FinishReason, error: str, now: float) -> Actions:
        """The attempt ended without a result: place the call again, its tokens so far at the end of its prompt."""
        actions: Actions = [Release(call.call_id, call.attempt, len(call.token_ids))]
        if not why.never_started and why is not FinishReason.STALE_EPOCH:
            call.failures += 1
        call.worker_id = ""
        if call.failures >= self._settings.max_attempts:
            reason = f"{call.failures} attempts failed, the bound; last: {error or why}"
            return actions + self._course.fail_call(run, call, Outcome.FAILED, reason, now)
        if len(call.token_ids) >= call.max_tokens or (call.token_ids and call.ready.call.sampling.json_schema):
            call.token_ids.clear()
            call.text.clear()
            restarted = CallRestarted(call.ref, call.attempt + 1, error or why)
            actions.append(Publish(run.event(restarted), run.epoch))
        return [*actions, offer(run, call, self._forecaster, self._settings.gateway_id, now)]
