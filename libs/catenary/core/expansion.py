"""What a node of a workflow becomes in a run: nothing, one ready call, or one for each item of its list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from catenary.model.compiled import CompiledCall
from catenary.model.template import Budget, Scope, SkippedError, TemplateError, TooLongError
from catenary.model.value import Value, byte_size
from catenary.model.workflow import Call, CallRef, Limits


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
class Expansion:
    """The calls of a node. ``items`` is the list of a map, which may be empty, and None for a plain call."""

    calls: tuple[ReadyCall, ...]
    items: tuple[Value, ...] | None = None


class CallError(Exception):
    """A call cannot be started; ``reason`` begins with the place."""

    def __init__(self, ref: CallRef, part: str, message: str) -> None:
        self.ref = ref
        self.reason = f"calls.{ref}{part}: {message}"
        super().__init__(self.reason)


def expand(
    compiled: CompiledCall, values: Mapping[str, Value], budget: Budget, limits: Limits, num_started: int
) -> Expansion:
    """Decide, expand and render a node whose parents have all ended; ``num_started`` counts the run's calls so far.

    Raises:
        SkippedError: its condition is false, or it needs the result of a skipped call.
        CallError: a template fails or a bound is passed.
    """
    scope = Scope(values, budget)
    ref = CallRef(compiled.name)
    if not _is_taken(compiled, ref, scope):
        raise SkippedError(f"{ref} is skipped: its condition is false")
    items = _items(compiled, ref, scope)
    total = num_started + (1 if items is None else len(items))
    if total > limits.max_run_calls:
        raise CallError(ref, "", f"takes the run to {total:,} calls, over max_run_calls {limits.max_run_calls:,}")
    if items is None:
        return Expansion((_ready(compiled, ref, scope, limits),))
    calls: list[ReadyCall] = []
    left = limits.max_map_bytes
    for index, item in enumerate(items):
        call = _ready(compiled, CallRef(compiled.name, index), Scope(values, budget, item, index), limits)
        left -= _content_bytes(call.content)
        if left < 0:
            bound = f"{limits.max_map_bytes:,} bytes (max_map_bytes)"
            raise CallError(ref, "", f"the prompts of its items are over {bound} together")
        calls.append(call)
    return Expansion(tuple(calls), items)


def _is_taken(compiled: CompiledCall, ref: CallRef, scope: Scope) -> bool:
    if compiled.when is None:
        return True
    try:
        return compiled.when.decide(scope)
    except SkippedError:
        raise
    except TemplateError as error:
        raise CallError(ref, ".when", str(error)) from error


def _items(compiled: CompiledCall, ref: CallRef, scope: Scope) -> tuple[Value, ...] | None:
    if compiled.for_each is None:
        return None
    try:
        items = compiled.for_each.evaluate_list(scope)
    except SkippedError:
        raise
    except TemplateError as error:
        raise CallError(ref, ".for_each", str(error)) from error
    if len(items) > compiled.max_items:
        raise CallError(ref, ".for_each", f"has {len(items):,} items, over max_items {compiled.max_items:,}")
    return tuple(items)


def _ready(compiled: CompiledCall, ref: CallRef, scope: Scope, limits: Limits) -> ReadyCall:
    left = limits.max_prompt_bytes
    part = ".prompt"
    try:
        if compiled.prompt is not None:
            return ReadyCall(ref, compiled.call, compiled.prompt.render(scope, left))
        messages: list[ChatMessageText] = []
        for index, message in enumerate(compiled.messages):
            part = f".messages[{index}].content"
            text = message.content.render(scope, left)
            left -= byte_size(text)
            messages.append(ChatMessageText(message.role, text))
        return ReadyCall(ref, compiled.call, tuple(messages))
    except SkippedError:
        raise
    except TooLongError as error:
        bound = f"{limits.max_prompt_bytes:,} bytes (max_prompt_bytes)"
        raise CallError(ref, part, f"the rendered prompt is over {bound}") from error
    except TemplateError as error:
        raise CallError(ref, part, str(error)) from error


def _content_bytes(content: str | tuple[ChatMessageText, ...]) -> int:
    if isinstance(content, str):
        return byte_size(content)
    return sum(byte_size(message.text) for message in content)
