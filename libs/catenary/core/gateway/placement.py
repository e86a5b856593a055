"""One call on its way to a worker and back: offers, starts, continued attempts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from catenary.core.gateway.events import Abort, CallAssigned, GatewayAction, Offer, Release, Start, Withdraw
from catenary.core.gateway.forecast import Forecaster
from catenary.core.gateway.run import ActiveCall, ActiveRun
from catenary.model.dispatch import NEVER, QueuedCall
from catenary.policy.slack import tails
from catenary.policy.span import Span


def offer(
    run: ActiveRun,
    call: ActiveCall,
    forecaster: Forecaster,
    gateway_id: str,
    now: float,
    after: Mapping[str, Span] | None = None,
) -> Offer:
    """The next attempt of the call, with its slack at this moment. ``after``: the tails of the run's path, if known."""
    call.attempt += 1
    call.offered = True
    spec = call.ready.call
    done = len(call.token_ids)
    output = forecaster.output(run, spec, done)
    prompt_tokens = len(call.prompt_token_ids) + done
    own = forecaster.span(call.model, prompt_tokens, output)
    rest = call.rest = (after or tails(forecaster.path(run)))[call.ref.name]
    if not call.predicted_s:
        call.predicted_s, call.predicted_high_s = own.median, own.high
        call.slack_before_s = slack_s(run, rest, now) - own.median
    deadline = run.deadline
    return Offer(
        QueuedCall(
            call_id=call.call_id,
            attempt=call.attempt,
            gateway_id=gateway_id,
            model=call.model,
            prompt_tokens=prompt_tokens,
            max_tokens=call.max_tokens - done,
            output=output,
            ready_at=call.ready_at,
            latest_finish=deadline - rest.median if deadline != NEVER else NEVER,
            lost_finish=deadline - rest.low if deadline != NEVER else NEVER,
            deadline=deadline,
            rest_s=rest.median,
            tenant=run.tenant,
            workflow=run.workflow.workflow.name,
            priority=run.priority,
            late=run.late,
            over_share=run.standing.over_share,
            error_budget=run.standing.error_budget,
            prefix_hashes=call.prefix_hashes,
        )
    )


def start(run: ActiveRun, call: ActiveCall, event: CallAssigned, now: float) -> Start:
    """The call on the worker that the router picked; earlier tokens are replayed at the end of its prompt."""
    done = len(call.token_ids)
    sampling = call.ready.call.sampling
    if done or call.max_tokens != sampling.max_tokens:
        left, least = call.max_tokens - done, max(0, sampling.min_tokens - done)
        sampling = replace(sampling, max_tokens=left, min_tokens=least)
    call.worker_id = event.worker_id
    call.router_epoch = event.router_epoch
    call.placements += 1
    call.started_at = now
    return Start(
        run_id=run.run_id,
        ref=call.ref,
        call_id=call.call_id,
        attempt=call.attempt,
        run_epoch=run.epoch,
        router_epoch=event.router_epoch,
        worker_id=event.worker_id,
        worker_address=event.worker_address,
        model=call.model,
        prompt_token_ids=[*call.prompt_token_ids, *call.token_ids] if done else call.prompt_token_ids,
        sampling=sampling,
        latest_start=event.latest_start,
        offset=done,
        slack_s=slack_s(run, call.rest, now) - call.predicted_s,
    )


def take_back(run: ActiveRun, call: ActiveCall) -> list[GatewayAction]:
    """End the call wherever it is: in the router's queue, or on its worker."""
    if call.is_placed:
        abort = Abort(call.worker_id, call.call_id, call.attempt, run.epoch)
        return [abort, Release(call.call_id, call.attempt, 0)]
    if call.offered:
        return [Withdraw(call.call_id, call.attempt)]
    return []


def slack_s(run: ActiveRun, rest: Span, now: float) -> float:
    """Time to the latest finish, 0 where the run has no deadline."""
    return 0.0 if run.deadline == NEVER else run.deadline - rest.median - now
