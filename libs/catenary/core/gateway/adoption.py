"""A run of another owner, rebuilt from what the store kept of it."""

from __future__ import annotations

from collections.abc import Iterable

from catenary.core.gateway.events import RunAdopted
from catenary.core.gateway.forecast import BYTES_PER_TOKEN
from catenary.core.gateway.run import ActiveRun, input_tokens
from catenary.core.gateway.settings import GatewaySettings
from catenary.core.progress import RunProgress, Step
from catenary.model.outcome import Outcome
from catenary.model.run import CallRecord

ATTEMPT_GAP = 1_000
"""The former owners may have made a few attempts that they could not store, also of later calls."""


def attempts_from(epoch: int, stored: Iterable[int]) -> int:
    """The attempts of a run's calls count from here under an owner of ``epoch``: above the ``stored`` ones and above
    those of every lower epoch. A former owner that stood still goes on for a moment when it wakes: with attempts as
    high as the new owner's it could take the place of its calls in the router's queue, and then withdraw them."""
    return max(ATTEMPT_GAP * epoch, ATTEMPT_GAP + max(stored, default=0))


def rebuild(event: RunAdopted, settings: GatewaySettings, now: float) -> tuple[ActiveRun, Step]:
    """The run as its events left it, and what is to be done next: calls to start, skips to tell, the end."""
    submitted = event.submitted
    slo = submitted.workflow.workflow.slo
    run = ActiveRun(
        run_id=submitted.run_id,
        workflow=submitted.workflow,
        progress=RunProgress(submitted.workflow, submitted.inputs, settings.limits),
        submitted_at=now - event.age_s,
        deadline_s=submitted.deadline_s if submitted.deadline_s is not None else slo.deadline_s,
        tenant=submitted.tenant,
        priority=submitted.priority,
        input_tokens=input_tokens(submitted.inputs, BYTES_PER_TOKEN),
        owner=settings.gateway_id,
        epoch=event.epoch,
        sequence=event.sequence,
        predicted_s=event.predicted_s,
        attempts_from=attempts_from(event.epoch, event.attempts.values()),
    )
    step = _replay(run, event.finished)
    return run, step


def _replay(run: ActiveRun, finished: Iterable[CallRecord]) -> Step:
    steps = [run.progress.start()]
    for record in finished:
        run.records[str(record.ref)] = record
        run.known_prompts[record.ref.name] = record.prompt_tokens
        if record.outcome is Outcome.SUCCEEDED:
            steps.append(run.progress.finish(record.ref, record.text))
            run.num_ended += 1
        elif record.outcome is not Outcome.SKIPPED:
            steps.append(run.progress.fail(record.ref, record.outcome or Outcome.FAILED, record.error))
    ended = run.progress.ended
    ready = [call for step in steps for call in step.ready if str(call.ref) not in run.records]
    skipped = [ref for step in steps for ref in step.skipped if str(ref) not in run.records]
    return Step(() if ended is not None else tuple(ready), tuple(skipped), ended)
