"""Worker cores with two models, and what tests ask of them."""

from __future__ import annotations

from catenary.core.worker import WorkerCore
from catenary.core.worker.events import CallStart, CommandDone, EngineFacts, NotStarted, ReplicaSettings, WorkerAction
from catenary.model.outcome import FinishReason
from catenary.model.worker import ReplicaState, Worker

GIB = 1 << 30
SEATS, LOOKAHEAD = 2, 1
CALL = CallStart("g0", 1, "r1/a", 1, 1, 0, "m", 10)


def new_core(max_calls: int = 100, needed_bytes: int = 0) -> WorkerCore:
    replicas = [ReplicaSettings(model, SEATS, LOOKAHEAD, 100, needed_bytes=needed_bytes) for model in ("m", "n")]
    return WorkerCore(Worker("w0", "h:1", 7, ()), replicas, max_calls)


def awake_core(**settings: int) -> WorkerCore:
    core = new_core(**settings)
    core.engines.load(1, "m", 0, 0, 0, 0.0)
    core.engines.engine_ready("m", EngineFacts(), 5.0)
    return core


def state(core: WorkerCore, model: str = "m") -> ReplicaState:
    return core.engines.records[model].state


def commands(actions: list[WorkerAction]) -> dict[int, str]:
    return {action.command_id: action.error for action in actions if isinstance(action, CommandDone)}


def refusal(core: WorkerCore, start: CallStart) -> FinishReason | None:
    decision = core.start_call(start)
    return decision.reason if isinstance(decision, NotStarted) else None
