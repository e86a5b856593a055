"""One execution of a workflow: its calls with their figures and the events that tell its story. Times in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catenary.model.outcome import Outcome, PriorityClass, State
from catenary.model.record import record
from catenary.model.workflow import CallRef, OnMiss


@record(frozen=True, slots=True)
class CallRecord:
    """One call; see catenary.v1.CallRecord for the fields' meaning."""

    ref: CallRef
    model: str
    worker: str = ""
    state: State = State.PENDING
    outcome: Outcome | None = None
    queue_s: float = 0.0
    ttft_s: float = 0.0
    duration_s: float = 0.0
    slack_before_s: float = 0.0
    slack_after_s: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    attempts: int = 0
    finish_reason: str = ""
    text: str = ""
    error: str = ""
    start_s: float = 0.0
    predicted_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Quote:
    """The earliest deadline that could be kept, seconds from now, with its probability; 0 s: none."""

    deadline_s: float
    probability: float


@dataclass(frozen=True, slots=True)
class RunAdmitted:
    deadline_s: float
    predicted_s: float
    probability: float
    slack_s: float
    workflow_version: str


@dataclass(frozen=True, slots=True)
class RunRefused:
    outcome: Outcome
    reason: str
    quote: Quote


@record(frozen=True, slots=True)
class CallStarted:
    ref: CallRef
    attempt: int
    worker: str
    model: str
    prompt_tokens: int
    slack_s: float


@record(frozen=True, slots=True)
class CallTokens:
    """New text; ``offset`` counts the output tokens of the call before it."""

    ref: CallRef
    attempt: int
    offset: int
    num_tokens: int
    text: str


@dataclass(frozen=True, slots=True)
class CallRestarted:
    ref: CallRef
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class CallFinished:
    record: CallRecord


@dataclass(frozen=True, slots=True)
class RunFinished:
    outcome: Outcome
    met: bool
    e2e_s: float
    output: Any
    reason: str


RunEventBody = RunAdmitted | RunRefused | CallStarted | CallTokens | CallRestarted | CallFinished | RunFinished


@record(frozen=True, slots=True)
class RunEvent:
    """``sequence`` counts from 1 without gaps; 0 marks an event that is not stored (CallTokens)."""

    run_id: str
    sequence: int
    body: RunEventBody


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it stands; see catenary.v1.Run for the fields' meaning.

    ``deadline_s`` 0: none; ``attainment`` 0: unknown.
    """

    run_id: str
    workflow: str
    workflow_version: str
    state: State
    outcome: Outcome | None
    reason: str
    met: bool
    deadline_s: float
    e2e_s: float
    predicted_s: float
    tenant: str
    priority: PriorityClass
    on_miss: OnMiss
    output: Any
    calls: tuple[CallRecord, ...]
    owner: str
    epoch: int
    attainment: float = 0.0
