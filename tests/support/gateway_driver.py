"""Drives a GatewayCore by hand: it tokenizes, stores and collects what the core asks for."""

from __future__ import annotations

from typing import Any, TypeVar

from catenary.core.gateway.core import GatewayCore
from catenary.core.gateway.events import (
    CallAssigned,
    CallEnded,
    CallProgressed,
    CallTokenized,
    CreateRun,
    EndRun,
    GatewayAction,
    GatewayEvent,
    Offer,
    PoolsReported,
    Publish,
    RunCreated,
    RunNotCreated,
    RunSubmitted,
    Start,
    Tokenize,
)
from catenary.core.gateway.settings import GatewaySettings, ModelInfo
from catenary.model.dispatch import PoolState
from catenary.model.outcome import FinishReason, PriorityClass
from catenary.model.profile import EngineProfile
from catenary.model.run import Run
from catenary.model.spec import bind_inputs, compile_workflow, load_workflow
from catenary.model.workflow import Limits

T = TypeVar("T")

CHAIN = """
name: chain
slo: {deadline: 10s}
calls:
  a: {model: m, prompt: "A", max_tokens: 10}
  b: {model: m, prompt: "B {{ a.text }}", max_tokens: 10}
output: "{{ b.text }}"
"""
TWO = """
name: two
slo: {deadline: 10s}
calls:
  a: {model: m, prompt: "A", max_tokens: 10}
  b: {model: m, prompt: "B", max_tokens: 10}
"""
MODEL = ModelInfo("m", max_model_len=64, default_output_tokens=10)
PROFILE = EngineProfile(model="m", prefill_base_s=0.01, prefill_token_s=0.0, step_base_s=0.01, step_seq_s=0.0)
POOL = PoolState("m", num_replicas=1, num_seats=16, mean_prompt_tokens=10, mean_output_tokens=10)


class GatewayDriver:
    """``actions`` holds everything the core asked for; the prompt of every call has ``prompt_tokens`` tokens."""

    def __init__(self, prompt_tokens: int = 5, stores: bool = True, **settings: Any) -> None:
        self.core = GatewayCore(GatewaySettings(**settings), {"m": MODEL}, {"m": PROFILE})
        self.core.handle(PoolsReported([POOL]), 0.0)
        self.now = 0.0
        self.prompt_tokens = prompt_tokens
        self.stores = stores
        self.actions: list[GatewayAction] = []

    def submit(
        self,
        text: str,
        run_id: str = "run",
        deadline_s: float | None = None,
        priority: PriorityClass = PriorityClass.STANDARD,
        **inputs: object,
    ) -> None:
        workflow = compile_workflow(load_workflow(text), Limits(), ["m"])
        bound = bind_inputs(workflow, inputs, Limits())
        self.feed(RunSubmitted(run_id, workflow, bound, deadline_s, priority=priority))

    def feed(self, event: GatewayEvent) -> list[GatewayAction]:
        actions = self.core.handle(event, self.now)
        self.actions += actions
        for action in actions:
            if isinstance(action, CreateRun):
                self.feed(RunCreated(action.run_id, 1) if self.stores else RunNotCreated(action.run_id))
            elif isinstance(action, Tokenize):
                self.feed(CallTokenized(action.run_id, action.call.ref, list(range(self.prompt_tokens))))
        return actions

    def of(self, kind: type[T]) -> list[T]:
        return [action for action in self.actions if isinstance(action, kind)]

    def last_offer(self, name: str) -> Offer:
        return [offer for offer in self.of(Offer) if offer.call.call_id.endswith(f"/{name}")][-1]

    def place(self, name: str, worker: str = "w0") -> Start:
        self.assign(name, worker)
        return self.of(Start)[-1]

    def assign(self, name: str, worker: str = "w0") -> None:
        call = self.last_offer(name).call
        self.feed(CallAssigned(call.call_id, call.attempt, worker, f"{worker}:1", 0.0, 7))

    def generate(self, name: str, text: str, tokens: int = 3) -> None:
        start = [start for start in self.of(Start) if str(start.ref) == name][-1]
        self.feed(CallProgressed(start.call_id, start.attempt, start.offset, [1] * tokens, text))

    def end(self, name: str, reason: FinishReason = FinishReason.STOP, error: str = "") -> None:
        start = [start for start in self.of(Start) if str(start.ref) == name][-1]
        self.feed(CallEnded(start.call_id, start.attempt, reason, error))

    def run_call(self, name: str, text: str = "text") -> None:
        self.place(name)
        self.generate(name, text)
        self.end(name)

    def ended(self) -> Run:
        (action,) = self.of(EndRun)
        return action.run

    def events(self, kind: type[T]) -> list[T]:
        bodies = [action.event.body for action in self.actions if isinstance(action, Publish | EndRun)]
        return [body for body in bodies if isinstance(body, kind)]
