"""What a gateway tells about runs, workflows and models, as frozen values. Times are seconds."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from catenary.model.explanation import CallShare
from catenary.model.outcome import Outcome, PriorityClass, State
from catenary.model.run import CallRecord, Quote


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a workflow. ``outcome`` is None until it ends; ``deadline_s`` 0 means it has none.

    ``probability`` (of meeting the deadline, at admission) and ``quote`` (of a refusal) come with a run's events only.
    """

    run_id: str
    workflow: str = ""
    workflow_version: str = ""
    state: State = State.PENDING
    outcome: Outcome | None = None
    reason: str = ""
    met: bool = False
    deadline_s: float = 0.0
    e2e_s: float = 0.0
    predicted_s: float = 0.0
    probability: float | None = None
    quote: Quote | None = None
    tenant: str = ""
    priority: PriorityClass = PriorityClass.STANDARD
    submit_time: datetime.datetime | None = None
    output: Any = None
    calls: tuple[CallRecord, ...] = ()
    trace_id: str = ""
    owner: str = ""
    attainment: float = 0.0

    @property
    def succeeded(self) -> bool:
        return self.outcome is Outcome.SUCCEEDED


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some runs, newest first. ``next_page_token`` is empty on the last page."""

    runs: tuple[Run, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class Registration:
    """Where a workflow is stored. ``created`` is False where this version was already there."""

    name: str
    version: str
    created: bool


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A model that workflows can name, and what serves it."""

    name: str
    source: str
    max_model_len: int
    replicas_awake: int
    replicas_total: int
    num_running: int
    num_queued: int
    profiled: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """The predicted duration of a workflow on idle engines. ``deadline_s`` 0: the workflow names none."""

    predicted_s: float
    predicted_q90_s: float
    deadline_s: float
    calls: tuple[CallShare, ...]
    basis: str
