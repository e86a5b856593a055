"""A run that has been admitted and has not ended, as its gateway holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from catenary.core.progress import ReadyCall, RunProgress
from catenary.model.compiled import CompiledWorkflow
from catenary.model.dispatch import NEVER
from catenary.model.outcome import Outcome, PriorityClass, State
from catenary.model.run import CallRecord, Run, RunEvent, RunEventBody
from catenary.model.workflow import CallRef, OnMiss
from catenary.policy.ordering.standing import EQUAL, Standing
from catenary.policy.span import ZERO, Span


@dataclass(slots=True)
class ActiveCall:
    """A call that is ready or runs. ``token_ids``: its output so far, over all attempts; ``failures`` of engines;
    ``rest``: the longest predicted path after it, when it was last offered."""

    call_id: str
    ready: ReadyCall
    ready_at: float
    prompt_token_ids: Sequence[int] = ()
    prefix_hashes: tuple[int, ...] = ()
    max_tokens: int = 0
    token_ids: list[int] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    attempt: int = 0
    placements: int = 0
    failures: int = 0
    offered: bool = False
    worker_id: str = ""
    router_epoch: int = 0
    started_at: float = 0.0
    first_token_at: float = 0.0
    slack_before_s: float = 0.0
    predicted_s: float = 0.0
    predicted_high_s: float = 0.0
    rest: Span = ZERO
    ref: CallRef = field(init=False)
    model: str = field(init=False)

    def __post_init__(self) -> None:
        self.ref, self.model = self.ready.ref, self.ready.call.model

    @property
    def is_placed(self) -> bool:
        return bool(self.worker_id)

    def record(self, run: ActiveRun, now: float, **changes: Any) -> CallRecord:
        values: dict[str, Any] = {
            "ref": self.ref,
            "model": self.model,
            "worker": self.worker_id,
            "state": State.RUNNING if self.is_placed else State.QUEUED,
            "duration_s": now - self.ready_at,
            "ttft_s": self.first_token_at - self.ready_at if self.first_token_at else 0.0,
            "slack_before_s": self.slack_before_s,
            "prompt_tokens": len(self.prompt_token_ids),
            "output_tokens": len(self.token_ids),
            "attempts": self.placements,
            "start_s": self.ready_at - run.submitted_at,
            "predicted_s": self.predicted_s,
            "text": "".join(self.text),
        }
        return CallRecord(**(values | changes))


@dataclass(frozen=True, slots=True)
class Foreseen:
    """When a run ends in the mean (monotonic s); ``variance``: what those of its calls add up to (s^2)."""

    end: float
    variance: float


@dataclass(slots=True)
class ActiveRun:
    """``known_prompts``: prompt tokens by call name once rendered; ``input_tokens``: sizes of the inputs; ``spent_s``:
    what the finished calls take on idle engines; ``circumstances``: by call and stage, the features that its output
    length was predicted from; ``foreseen``: by calls ended, what was first predicted of its end; ``attempts_from``: the
    attempts of all its calls count from here."""

    run_id: str
    workflow: CompiledWorkflow
    progress: RunProgress
    submitted_at: float
    deadline_s: float | None
    tenant: str
    priority: PriorityClass
    input_tokens: Mapping[str, float]
    owner: str
    standing: Standing = EQUAL
    epoch: int = 0
    sequence: int = 0
    late: bool = False
    predicted_s: float = 0.0
    calls: dict[str, ActiveCall] = field(default_factory=dict)
    records: dict[str, CallRecord] = field(default_factory=dict)
    known_prompts: dict[str, int] = field(default_factory=dict)
    attempts_from: int = 0
    num_ended: int = 0
    spent_s: float = 0.0
    foreseen: dict[int, Foreseen] = field(default_factory=dict)
    circumstances: dict[str, dict[int, tuple[float, ...]]] = field(default_factory=dict)

    @property
    def deadline(self) -> float:
        return NEVER if self.deadline_s is None else self.submitted_at + self.deadline_s

    @property
    def on_miss(self) -> OnMiss:
        return self.workflow.workflow.slo.on_miss

    def event(self, body: RunEventBody, *, stored: bool = True) -> RunEvent:
        if not stored:
            return RunEvent(self.run_id, 0, body)
        self.sequence += 1
        return RunEvent(self.run_id, self.sequence, body)

    def view(self, now: float, outcome: Outcome | None = None, reason: str = "", output: Any = None) -> Run:
        e2e_s = now - self.submitted_at
        return Run(
            run_id=self.run_id,
            workflow=self.workflow.workflow.name,
            workflow_version=self.workflow.version,
            state=State.RUNNING if outcome is None else State.FINISHED,
            outcome=outcome,
            reason=reason,
            met=outcome is Outcome.SUCCEEDED and now <= self.deadline,
            deadline_s=self.deadline_s or 0.0,
            e2e_s=e2e_s,
            predicted_s=self.predicted_s,
            tenant=self.tenant,
            priority=self.priority,
            on_miss=self.on_miss,
            output=output,
            calls=tuple(self._records(now)),
            owner=self.owner,
            epoch=self.epoch,
            attainment=self.workflow.workflow.slo.attainment,
        )

    def _records(self, now: float) -> list[CallRecord]:
        known = {**self.records, **{str(call.ref): call.record(self, now) for call in self.calls.values()}}
        listed: list[CallRecord] = []
        for call in self.workflow.workflow.calls:
            items = [record for record in known.values() if record.ref.name == call.name]
            items.sort(key=lambda record: record.ref.index or 0)
            listed += items or [CallRecord(CallRef(call.name), call.model)]
        return listed


def input_tokens(inputs: Mapping[str, Any], bytes_per_token: int) -> dict[str, float]:
    """Rough size of each input once it stands in a prompt."""
    return {name: _text_bytes(value) / bytes_per_token for name, value in inputs.items()}


def _text_bytes(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(_text_bytes(item) for item in value.values())
    if isinstance(value, list | tuple):
        return sum(_text_bytes(item) for item in value)
    return 4
