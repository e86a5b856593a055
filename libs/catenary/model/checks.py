"""Checks of a workflow's fields: names, numbers, texts and their bounds. References are checked where they compile."""

from __future__ import annotations

import re
from typing import Any

from catenary.model.json_schema import schema_problem
from catenary.model.problem import Problems, shown
from catenary.model.value import byte_size, is_unicode
from catenary.model.workflow import Call, InputType, Limits, OnMiss, Sampling, Slo, Workflow

ROLES = ("system", "user", "assistant")
MAX_INPUTS = 256
MAX_MESSAGES = 256
MAX_DESCRIPTION_BYTES = 4096
MAX_STOP_BYTES = 1024
MAX_SEED = 2**63 - 1
MAX_TOP_K = 2**31 - 1

_WORKFLOW_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
_RESERVED = frozenset(
    (
        "inputs",
        "item",
        "index",
        "true",
        "false",
        "none",
        "True",
        "False",
        "None",
        "and",
        "or",
        "not",
        "in",
        "is",
        "if",
        "else",
    )
)


def check_fields(workflow: Workflow, limits: Limits, problems: Problems) -> None:
    """Everything but templates, models and references."""
    if not _matches(_WORKFLOW_NAME, workflow.name):
        problems.add("name", f"must be 1 to 64 letters, digits, '-' and '_', is {shown(workflow.name)}")
    _check_text("description", workflow.description, MAX_DESCRIPTION_BYTES, problems)
    _check_slo(workflow.slo, limits, problems)
    _check_inputs(workflow, problems)
    if not workflow.calls:
        problems.add("calls", "a workflow needs at least one call")
    if len(workflow.calls) > limits.max_calls:
        problems.add("calls", f"has {len(workflow.calls)} calls, over max_calls {limits.max_calls}")
    seen: set[str] = set()
    for call in workflow.calls[: limits.max_calls]:
        place = f"calls.{call_label(call)}"
        _check_call_name(place, call.name, workflow, seen, problems)
        _check_call(place, call, limits, problems)
        check_sampling(place, call.sampling, limits, problems)


def call_label(call: Call) -> str:
    """The call's name as it stands in places, at most 64 characters."""
    text = call.name if isinstance(call.name, str) else shown(call.name)
    return text if len(text) <= 64 else text[:61] + "..."


def _check_slo(slo: Slo, limits: Limits, problems: Problems) -> None:
    if slo.deadline_s is not None and not (_is_number(slo.deadline_s) and 0 < slo.deadline_s <= limits.max_deadline_s):
        bound = f"{limits.max_deadline_s:g} s (max_deadline_s)"
        problems.add("slo.deadline", f"must be over 0 and at most {bound}, is {shown(slo.deadline_s)}")
    if not (_is_number(slo.attainment) and 0 < slo.attainment < 1):
        problems.add("slo.attainment", f"must be over 0 and under 1, is {shown(slo.attainment)}")
    if slo.on_miss not in tuple(OnMiss):
        problems.add("slo.on_miss", f"must be one of {', '.join(OnMiss)}, is {shown(slo.on_miss)}")


def _check_inputs(workflow: Workflow, problems: Problems) -> None:
    if len(workflow.inputs) > MAX_INPUTS:
        problems.add("inputs", f"has {len(workflow.inputs)} inputs, over {MAX_INPUTS}")
        return
    for name, kind in workflow.inputs.items():
        if not _matches(_IDENTIFIER, name):
            problems.add("inputs", f"{shown(name)} is no name: use at most 64 letters, digits and '_', no digit first")
        elif kind not in tuple(InputType):
            problems.add(f"inputs.{name}", f"unknown type {shown(kind)}; known: {', '.join(InputType)}")


def _check_call_name(place: str, name: Any, workflow: Workflow, seen: set[str], problems: Problems) -> None:
    if not _matches(_IDENTIFIER, name):
        problems.add(place, f"{shown(name)} is no name: use at most 64 letters, digits and '_', no digit first")
    elif name in _RESERVED:
        problems.add(place, f"{name!r} has a meaning of its own in templates; choose another name")
    elif name in workflow.inputs:
        problems.add(place, "has the name of an input; choose another name")
    elif name in seen:
        problems.add(place, "appears twice")
    else:
        seen.add(name)


def _check_call(place: str, call: Call, limits: Limits, problems: Problems) -> None:
    if not _matches(_MODEL_NAME, call.model):
        problems.add(f"{place}.model", f"must name a model, is {shown(call.model)}" if call.model else "is required")
    if call.prompt is None and not call.messages:
        problems.add(place, "needs a prompt or messages")
    if call.prompt is not None and call.messages:
        problems.add(place, "has both a prompt and messages; remove one")
    if call.prompt == "":
        problems.add(f"{place}.prompt", "is empty")
    if len(call.messages) > MAX_MESSAGES:
        problems.add(f"{place}.messages", f"has {len(call.messages)} messages, over {MAX_MESSAGES}")
    for index, message in enumerate(call.messages[:MAX_MESSAGES]):
        if message.role not in ROLES:
            problems.add(
                f"{place}.messages[{index}].role", f"must be one of {', '.join(ROLES)}, is {shown(message.role)}"
            )
    if call.max_items is None:
        return
    if call.for_each is None:
        problems.add(f"{place}.max_items", "needs a for_each")
    elif not _is_integer(call.max_items) or not 1 <= call.max_items <= limits.max_items:
        problems.add(f"{place}.max_items", f"must be 1 to {limits.max_items} (max_items), is {shown(call.max_items)}")


def check_sampling(place: str, sampling: Sampling, limits: Limits, problems: Problems) -> None:
    """Bounds of every sampling field."""
    _check_integer(f"{place}.max_tokens", sampling.max_tokens, 1, limits.max_output_tokens, problems)
    if _is_integer(sampling.max_tokens):
        _check_integer(f"{place}.min_tokens", sampling.min_tokens, 0, max(0, sampling.max_tokens), problems)
    _check_integer(f"{place}.top_k", sampling.top_k, 0, MAX_TOP_K, problems)
    if sampling.seed is not None:
        _check_integer(f"{place}.seed", sampling.seed, 0, MAX_SEED, problems)
    _check_number(f"{place}.temperature", sampling.temperature, 0, 2, problems)
    _check_number(f"{place}.presence_penalty", sampling.presence_penalty, -2, 2, problems)
    _check_number(f"{place}.frequency_penalty", sampling.frequency_penalty, -2, 2, problems)
    for name, bound in (("top_p", 1), ("repetition_penalty", 2)):
        value = getattr(sampling, name)
        if not (_is_number(value) and 0 < value <= bound):
            problems.add(f"{place}.{name}", f"must be over 0 and at most {bound}, is {shown(value)}")
    if len(sampling.stop) > limits.max_stop:
        problems.add(f"{place}.stop", f"has {len(sampling.stop)} texts, over max_stop {limits.max_stop}")
    for index, text in enumerate(sampling.stop[: limits.max_stop]):
        _check_text(f"{place}.stop[{index}]", text, MAX_STOP_BYTES, problems, can_be_empty=False)
    if sampling.json_schema is not None:
        _check_schema(f"{place}.json_schema", sampling.json_schema, limits, problems)


def _check_schema(place: str, text: str, limits: Limits, problems: Problems) -> None:
    before = len(problems)
    _check_text(place, text, limits.max_template_bytes, problems, can_be_empty=False)
    if len(problems) > before:
        return
    problem = schema_problem(text)
    if problem:
        problems.add(place, problem)


def _check_text(place: str, text: Any, max_bytes: int, problems: Problems, can_be_empty: bool = True) -> None:
    if not isinstance(text, str):
        problems.add(place, f"must be text, is {shown(text)}")
    elif not is_unicode(text):
        problems.add(place, "holds a lone surrogate, which is no Unicode text")
    elif byte_size(text) > max_bytes:
        problems.add(place, f"has {byte_size(text):,} bytes, over {max_bytes:,}")
    elif not text and not can_be_empty:
        problems.add(place, "is empty")


def _check_integer(place: str, value: Any, low: int, high: int, problems: Problems) -> None:
    if not _is_integer(value) or not low <= value <= high:
        problems.add(place, f"must be an integer of {low} to {high}, is {shown(value)}")


def _check_number(place: str, value: Any, low: float, high: float, problems: Problems) -> None:
    if not _is_number(value) or not low <= value <= high:
        problems.add(place, f"must be {low:g} to {high:g}, is {shown(value)}")


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.match(value) is not None
