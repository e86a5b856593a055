"""How far a run of a workflow has come: which calls are ready, skipped or ended, and the output at its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from catenary.model.compiled import CompiledCall, CompiledWorkflow
from catenary.model.outcome import Outcome
from catenary.model.template import (
    Budget,
    CallResult,
    Missing,
    Scope,
    SkippedError,
    Template,
    TemplateError,
    TooLongError,
)
from catenary.model.value import Value, byte_size, to_json_value, weigh
from catenary.model.workflow import Call, CallRef, Limits

CallState = Literal["pending", "active", "finished", "skipped"]


class ChatMessageText(NamedTuple):
    """A rendered chat message."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class ReadyCall:
    """A call that can start, with its rendered prompt: plain text, or the messages of a chat."""

    ref: CallRef
    call: Call
    content: str | tuple[ChatMessageText, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a run. ``output`` is a JSON value, None unless it succeeded; ``failed`` the call that ended it."""

    outcome: Outcome
    output: Any = None
    reason: str = ""
    failed: CallRef | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one event changed."""

    ready: tuple[ReadyCall, ...] = ()
    skipped: tuple[CallRef, ...] = ()
    ended: Ended | None = None


class _CallError(Exception):
    """A call cannot be started; the text names the place."""

    def __init__(self, ref: CallRef, reason: str) -> None:
        super().__init__(reason)
        self.ref = ref
        self.reason = reason


class RunProgress:
    """One run, stepped by the ends of its calls.

    The same events in the same order give the same state, so a run is rebuilt by replaying its finished calls.
    """

    def __init__(self, compiled: CompiledWorkflow, inputs: Mapping[str, Any], limits: Limits) -> None:
        """``inputs`` come from ``bind_inputs``."""
        self._compiled = compiled
        self._limits = limits
        self._values: dict[str, Value] = {"inputs": dict(inputs)}
        self._waiting = {call.name: len(call.parents) for call in compiled.calls}
        self._states: dict[str, CallState] = {call.name: "pending" for call in compiled.calls}
        self._results: dict[str, dict[int | None, CallResult]] = {}
        self._items: dict[str, list[Value]] = {}
        self._num_open = len(compiled.calls)
        self._num_started = 0
        self._ended: Ended | None = None

    @property
    def ended(self) -> Ended | None:
        """The end of the run, once it has one."""
        return self._ended

    def state(self, name: str) -> CallState:
        """A map is active while any of its items is, and finished once all are."""
        return self._states[name]

    def items(self, name: str) -> int | None:
        """Number of items of a map, None while it is not known and for other calls."""
        found = self._items.get(name)
        return None if found is None else len(found)

    def done(self, name: str) -> int:
        """Number of finished items; of a plain call 0 or 1."""
        return len(self._results.get(name, ()))

    def start(self) -> Step:
        """The calls without parents. To be called once."""
        return self._settle(deque(call.name for call in self._compiled.calls if not call.parents))

    def finish(self, ref: CallRef, text: str) -> Step:
        """A call gave its text. A repeated end, or one after the end of the run, changes nothing.

        Raises:
            ValueError: the call was never ready.
        """
        results = self._open_results(ref)
        if self._ended is not None or results is None or ref.index in results:
            return Step()
        name, index = ref.name, ref.index
        items = self._items.get(name)
        item = None if items is None or index is None else items[index]
        result = CallResult(str(ref), text, item, index)
        results[index] = result
        if items is None:
            return self._close(name, result)
        if len(results) < len(items):
            return Step()
        return self._close(name, [results[position] for position in range(len(items))])

    def fail(self, ref: CallRef, outcome: Outcome, reason: str) -> Step:
        """A call failed, and so does its run, with the call's outcome. After the end of the run nothing changes.

        Raises:
            ValueError: the call was never ready, or the outcome is no failure.
        """
        if outcome in (Outcome.SUCCEEDED, Outcome.SKIPPED):
            raise ValueError(f"{ref}: {outcome} is no failure")
        results = self._open_results(ref)
        if self._ended is not None or results is None or ref.index in results:
            return Step()
        return self._end(Ended(outcome, None, f"calls.{ref}: {reason}", ref))

    def _open_results(self, ref: CallRef) -> dict[int | None, CallResult] | None:
        """The results of an active call so far, None where it has already ended."""
        state = self._states.get(ref.name)
        items = self._items.get(ref.name)
        known_index = ref.index is None if items is None else ref.index is not None and 0 <= ref.index < len(items)
        if state is None or state == "pending" or not known_index:
            raise ValueError(f"{ref}: no such call is under way; its state is {state or 'unknown'}")
        return self._results.setdefault(ref.name, {}) if state == "active" else None

    def _close(self, name: str, value: Value) -> Step:
        self._states[name] = "finished"
        return self._settle(self._resolve(name, value))

    def _resolve(self, name: str, value: Value) -> deque[str]:
        """Give a call its value; the children that waited for nothing else."""
        self._values[name] = value
        self._num_open -= 1
        freed: deque[str] = deque()
        for child in self._compiled.children(name):
            self._waiting[child] -= 1
            if self._waiting[child] == 0:
                freed.append(child)
        return freed

    def _settle(self, names: deque[str]) -> Step:
        """Start or skip the calls named, and what a skip or an empty map frees in turn."""
        ready: list[ReadyCall] = []
        skipped: list[CallRef] = []
        budget = Budget()
        while names:
            compiled = self._compiled.by_name[names.popleft()]
            try:
                calls = self._start_call(compiled, budget)
            except SkippedError as error:
                self._states[compiled.name] = "skipped"
                skipped.append(CallRef(compiled.name))
                names.extend(self._resolve(compiled.name, Missing(str(error), skipped=True)))
            except _CallError as error:
                ended = Ended(Outcome.FAILED, None, error.reason, error.ref)
                return self._end(ended, tuple(skipped))
            else:
                if calls:
                    self._states[compiled.name] = "active"
                    ready += calls
                else:
                    self._states[compiled.name] = "finished"
                    names.extend(self._resolve(compiled.name, []))
        if self._num_open == 0:
            return self._end(self._succeed(), tuple(skipped))
        return Step(tuple(ready), tuple(skipped))

    def _start_call(self, compiled: CompiledCall, budget: Budget) -> list[ReadyCall]:
        """The ready calls of a node, none for an empty map. Raises: SkippedError, _CallError."""
        name = compiled.name
        scope = Scope(self._values, budget)
        if compiled.when is not None and not self._decide(compiled, compiled.when, scope):
            raise SkippedError(f"{name} is skipped: its condition is false")
        if compiled.for_each is None:
            self._count_calls(CallRef(name), 1)
            return [self._ready(compiled, CallRef(name), scope)]
        items = self._expand(compiled, compiled.for_each, scope)
        self._count_calls(CallRef(name), len(items))
        calls: list[ReadyCall] = []
        left = self._limits.max_map_bytes
        for index, item in enumerate(items):
            call = self._ready(compiled, CallRef(name, index), Scope(self._values, budget, item, index))
            left -= content_bytes(call.content)
            if left < 0:
                bound = f"{self._limits.max_map_bytes:,} bytes (max_map_bytes)"
                raise _CallError(CallRef(name), f"calls.{name}: the prompts of its items are over {bound} together")
            calls.append(call)
        self._items[name] = items
        return calls

    def _decide(self, compiled: CompiledCall, when: Template, scope: Scope) -> bool:
        try:
            return when.decide(scope)
        except SkippedError:
            raise
        except TemplateError as error:
            raise _CallError(CallRef(compiled.name), f"calls.{compiled.name}.when: {error}") from error

    def _expand(self, compiled: CompiledCall, for_each: Template, scope: Scope) -> list[Value]:
        ref = CallRef(compiled.name)
        place = f"calls.{compiled.name}.for_each"
        try:
            items = for_each.evaluate_list(scope)
        except SkippedError:
            raise
        except TemplateError as error:
            raise _CallError(ref, f"{place}: {error}") from error
        if len(items) > compiled.max_items:
            raise _CallError(ref, f"{place}: has {len(items):,} items, over max_items {compiled.max_items:,}")
        return items

    def _ready(self, compiled: CompiledCall, ref: CallRef, scope: Scope) -> ReadyCall:
        max_bytes = self._limits.max_prompt_bytes
        place = "prompt"
        content: str | tuple[ChatMessageText, ...]
        try:
            if compiled.prompt is not None:
                content = compiled.prompt.render(scope, max_bytes)
            else:
                messages: list[ChatMessageText] = []
                for index, message in enumerate(compiled.messages):
                    place = f"messages[{index}].content"
                    text = message.content.render(scope, max_bytes)
                    max_bytes -= byte_size(text)
                    messages.append(ChatMessageText(message.role, text))
                content = tuple(messages)
        except SkippedError:
            raise
        except TooLongError as error:
            bound = f"{self._limits.max_prompt_bytes:,} bytes (max_prompt_bytes)"
            raise _CallError(ref, f"calls.{ref}.{place}: the rendered prompt is over {bound}") from error
        except TemplateError as error:
            raise _CallError(ref, f"calls.{ref}.{place}: {error}") from error
        return ReadyCall(ref, compiled.call, content)

    def _count_calls(self, ref: CallRef, number: int) -> None:
        self._num_started += number
        if self._num_started > self._limits.max_run_calls:
            bound = self._limits.max_run_calls
            raise _CallError(
                ref, f"calls.{ref}: takes the run to {self._num_started:,} calls, over max_run_calls {bound:,}"
            )

    def _end(self, ended: Ended, skipped: tuple[CallRef, ...] = ()) -> Step:
        self._ended = ended
        return Step((), skipped, ended)

    def _succeed(self) -> Ended:
        template = self._compiled.output
        bound = self._limits.max_output_bytes
        try:
            if template is None:
                value: Value = {call.name: self._values[call.name] for call in self._compiled.workflow.calls}
            elif template.single is None:
                value = _render_or_none(template, Scope(self._values), bound)
            else:
                value = template.evaluate(Scope(self._values))
            if weigh(value, bound) > bound:
                raise TemplateError(f"is over {bound:,} bytes (max_output_bytes)")
            return Ended(Outcome.SUCCEEDED, to_json_value(value))
        except TemplateError as error:
            return Ended(Outcome.FAILED, None, f"output: {error}")


def _render_or_none(template: Template, scope: Scope, max_bytes: int) -> str | None:
    try:
        return template.render(scope, max_bytes)
    except SkippedError:
        return None


def content_bytes(content: str | tuple[ChatMessageText, ...]) -> int:
    """Bytes of a rendered prompt, without what a chat template adds."""
    if isinstance(content, str):
        return byte_size(content)
    return sum(byte_size(message.text) for message in content)
