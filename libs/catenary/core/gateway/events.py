"""What happens to the gateway, and what it wants done. Absolute times are monotonic seconds of the gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catenary.core.progress import ReadyCall
from catenary.model.backlog import Backlog
from catenary.model.compiled import CompiledWorkflow
from catenary.model.dispatch import PoolState, QueuedCall
from catenary.model.outcome import FinishReason, Outcome, PriorityClass
from catenary.model.profile import EngineProfile
from catenary.model.record import record
from catenary.model.run import CallRecord, Run, RunEvent, RunRefused
from catenary.model.workflow import CallRef, Sampling


@dataclass(frozen=True, slots=True)
class RunSubmitted:
    """``deadline_s`` None: the workflow's own. ``inputs`` are bound and checked."""

    run_id: str
    workflow: CompiledWorkflow
    inputs: Mapping[str, Any]
    deadline_s: float | None = None
    tenant: str = "default"
    priority: PriorityClass = PriorityClass.STANDARD


@dataclass(frozen=True, slots=True)
class RunAdopted:
    """The store gave this gateway the run of another under ``epoch``. ``age_s``: since it was submitted; ``sequence``
    of its last stored event; ``finished`` calls in the order of their ends; ``attempts``: the last one of each call."""

    submitted: RunSubmitted
    epoch: int
    age_s: float
    sequence: int
    predicted_s: float
    finished: Sequence[CallRecord]
    attempts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RunCreated:
    """The store holds the run under this epoch."""

    run_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class RunNotCreated:
    """The store did not take the run; it never ran."""

    run_id: str


@dataclass(frozen=True, slots=True)
class RunFenced:
    """Another gateway owns the run now: nothing more of it is done here."""

    run_id: str


@record(frozen=True, slots=True)
class CallTokenized:
    run_id: str
    ref: CallRef
    token_ids: Sequence[int]
    prefix_hashes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenizeFailed:
    run_id: str
    ref: CallRef
    reason: str


@record(frozen=True, slots=True)
class CallAssigned:
    call_id: str
    attempt: int
    worker_id: str
    worker_address: str
    latest_start: float
    router_epoch: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CallRejected:
    call_id: str
    attempt: int
    outcome: Outcome
    reason: str


@record(frozen=True, slots=True)
class CallProgressed:
    call_id: str
    attempt: int
    offset: int
    token_ids: Sequence[int]
    text: str


@record(frozen=True, slots=True)
class CallEnded:
    """The end of an attempt at its worker, with the worker's figures in seconds."""

    call_id: str
    attempt: int
    finish_reason: FinishReason
    error: str = ""
    queue_s: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    mean_batch: float = 0.0
    service_s: float = 0.0


@dataclass(frozen=True, slots=True)
class WorkerGone:
    """The stream to a worker broke: its calls are placed again."""

    worker_id: str


@dataclass(frozen=True, slots=True)
class RouterJoined:
    """An active router is connected: every call that is not placed is offered (again)."""


@dataclass(frozen=True, slots=True)
class PoolsReported:
    pools: Sequence[PoolState]


@dataclass(frozen=True, slots=True)
class BacklogHeard:
    """What another gateway has published; empty: it is gone."""

    gateway_id: str
    backlog: Backlog


@dataclass(frozen=True, slots=True)
class ProfileChanged:
    profile: EngineProfile


@dataclass(frozen=True, slots=True)
class CancelRequested:
    run_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passes: deadlines are reached."""


GatewayEvent = (
    RunSubmitted
    | RunAdopted
    | RunCreated
    | RunNotCreated
    | RunFenced
    | CallTokenized
    | TokenizeFailed
    | CallAssigned
    | CallRejected
    | CallProgressed
    | CallEnded
    | WorkerGone
    | RouterJoined
    | PoolsReported
    | BacklogHeard
    | ProfileChanged
    | CancelRequested
    | Tick
)


@dataclass(frozen=True, slots=True)
class CreateRun:
    """Store the run with its first event; answer RunCreated or RunNotCreated."""

    run_id: str
    event: RunEvent


@dataclass(frozen=True, slots=True)
class Refuse:
    run_id: str
    refusal: RunRefused


@dataclass(frozen=True, slots=True)
class Tokenize:
    """Answer CallTokenized or TokenizeFailed."""

    run_id: str
    call: ReadyCall


@dataclass(frozen=True, slots=True)
class Offer:
    call: QueuedCall


@dataclass(frozen=True, slots=True)
class Withdraw:
    call_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Release:
    call_id: str
    attempt: int
    output_tokens: int


@record(frozen=True, slots=True)
class Start:
    """Hand the call to its worker. ``offset`` output tokens of earlier attempts are at the end of the prompt."""

    run_id: str
    ref: CallRef
    call_id: str
    attempt: int
    run_epoch: int
    router_epoch: int
    worker_id: str
    worker_address: str
    model: str
    prompt_token_ids: Sequence[int]
    sampling: Sampling
    latest_start: float
    offset: int
    slack_s: float


@dataclass(frozen=True, slots=True)
class Abort:
    worker_id: str
    call_id: str
    attempt: int
    run_epoch: int


@record(frozen=True, slots=True)
class Publish:
    """Give the event to whoever watches the run; store it first or beside where its sequence is not 0."""

    event: RunEvent
    epoch: int


@dataclass(frozen=True, slots=True)
class EndRun:
    """Store the last event and the run as it ended; only then publish."""

    event: RunEvent
    run: Run


@dataclass(frozen=True, slots=True)
class ReportCall:
    """What was predicted and measured of a call, for the profiler. Seconds and tokens.

    ``predicted_s``: with the output length and the batch as they turned out. ``forecast_s``, ``forecast_high_s``:
    median and q90 of the time that it needs once it has a seat, as seen when it was first offered.
    """

    model: str
    worker_id: str
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    mean_batch: float
    service_s: float
    predicted_s: float
    forecast_s: float = 0.0
    forecast_high_s: float = 0.0


GatewayAction = (
    CreateRun | Refuse | Tokenize | Offer | Withdraw | Release | Start | Abort | Publish | EndRun | ReportCall
)
