"""Workflow specifications from YAML text or a mapping, as users write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeAlias

from catenary.model.compiled import CompiledWorkflow
from catenary.model.compiler import check_workflow, compile_workflow
from catenary.model.duration import parse_duration
from catenary.model.inputs import bind_inputs
from catenary.model.problem import Problem, Problems, SpecError, known_names, shown
from catenary.model.workflow import Call, InputType, Limits, Message, OnMiss, Sampling, Slo, Workflow
from catenary.model.yaml_text import read_yaml

__all__ = [
    "CompiledWorkflow",
    "Problem",
    "SpecError",
    "bind_inputs",
    "compile_workflow",
    "load_workflow",
    "parse_workflow",
]

NODES_PER_CALL = 80

_WORKFLOW_FIELDS = ("name", "description", "slo", "inputs", "calls", "output")
_SLO_FIELDS = ("deadline", "attainment", "on_miss")
_MESSAGE_FIELDS = ("role", "content")
_SAMPLING_FIELDS = tuple(field.name for field in fields(Sampling))
_CALL_FIELDS = ("model", "prompt", "messages", "when", "for_each", "max_items", *_SAMPLING_FIELDS)

Reader: TypeAlias = Callable[[str, Any, Problems], Any]


def load_workflow(text: str | bytes, limits: Limits | None = None) -> Workflow:
    """Read a workflow from YAML and check it.

    Raises:
        SpecError: the text is no YAML or no workflow, or a check fails that needs no knowledge of the models.
    """
    limits = limits or Limits()
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError as error:
            raise SpecError([Problem("workflow", f"is no UTF-8 text: wrong byte at offset {error.start}")]) from error
    data = read_yaml(text, limits.max_spec_bytes, limits.max_calls * NODES_PER_CALL)
    if not isinstance(data, Mapping):
        raise SpecError([Problem("workflow", f"must be a mapping, is {shown(data)}")])
    workflow = parse_workflow(data, limits)
    Problems(check_workflow(workflow, limits)).raise_if_any()
    return workflow


def parse_workflow(data: Mapping[str, Any], limits: Limits | None = None) -> Workflow:
    """Build a workflow from a mapping of the YAML form.

    The result is well-formed but not checked; ``compile_workflow`` checks it.

    Raises:
        SpecError: a field is unknown or of the wrong type; the problems that compiling finds elsewhere are included.
    """
    problems = Problems()
    workflow = _workflow(data, problems)
    if problems:
        problems.add_below(check_workflow(workflow, limits or Limits()))
    problems.raise_if_any()
    return workflow


def _workflow(data: Mapping[str, Any], problems: Problems) -> Workflow:
    _check_fields("workflow", data, _WORKFLOW_FIELDS, problems)
    calls = _mapping("calls", data.get("calls", {}), problems)
    inputs = _mapping("inputs", data.get("inputs", {}), problems)
    return Workflow(
        name=_text("name", data.get("name"), problems) or "",
        calls=tuple(_call(name, call, problems) for name, call in calls.items()),
        slo=_slo(_mapping("slo", data.get("slo", {}), problems), problems),
        inputs={name: _input_type(f"inputs.{_short(name)}", kind, problems) for name, kind in inputs.items()},
        output=_optional_text("output", data.get("output"), problems),
        description=_optional_text("description", data.get("description"), problems) or "",
    )


def _slo(data: Mapping[str, Any], problems: Problems) -> Slo:
    _check_fields("slo", data, _SLO_FIELDS, problems)
    deadline_s = None
    if data.get("deadline") is not None:
        try:
            deadline_s = parse_duration(data["deadline"])
        except ValueError as error:
            problems.add("slo.deadline", str(error))
    on_miss = data.get("on_miss", OnMiss.FINISH)
    if on_miss not in tuple(OnMiss):
        problems.add("slo.on_miss", f"must be one of {', '.join(OnMiss)}, is {shown(on_miss)}")
        on_miss = OnMiss.FINISH
    return Slo(deadline_s, _number("slo.attainment", data.get("attainment", 0.95), problems), OnMiss(on_miss))


def _call(name: str, data: Any, problems: Problems) -> Call:
    place = f"calls.{_short(name)}"
    found = _mapping(place, data, problems)
    _check_fields(place, found, _CALL_FIELDS, problems)
    return Call(
        name=name,
        model=_text(f"{place}.model", found.get("model"), problems) or "",
        prompt=_optional_text(f"{place}.prompt", found.get("prompt"), problems),
        messages=_messages(f"{place}.messages", found.get("messages"), problems),
        sampling=_sampling(place, found, problems),
        when=_optional_text(f"{place}.when", found.get("when"), problems),
        for_each=_optional_text(f"{place}.for_each", found.get("for_each"), problems),
        max_items=_max_items(f"{place}.max_items", found.get("max_items"), problems),
    )


def _messages(place: str, data: Any, problems: Problems) -> tuple[Message, ...]:
    messages = []
    for index, entry in enumerate(_list(place, data, problems)):
        here = f"{place}[{index}]"
        found = _mapping(here, entry, problems)
        _check_fields(here, found, _MESSAGE_FIELDS, problems)
        role = _text(f"{here}.role", found.get("role"), problems)
        messages.append(Message(role or "", _text(f"{here}.content", found.get("content"), problems) or ""))
    return tuple(messages)


def _sampling(place: str, data: Mapping[str, Any], problems: Problems) -> Sampling:
    values: dict[str, Any] = {}
    for name in _SAMPLING_FIELDS:
        if data.get(name) is not None:
            read: Reader = _SAMPLING_READERS.get(name, _number)
            values[name] = read(f"{place}.{name}", data[name], problems)
    return Sampling(**{name: value for name, value in values.items() if value is not None})


def _stop(place: str, value: Any, problems: Problems) -> tuple[str, ...]:
    entries = [value] if isinstance(value, str) else _list(place, value, problems)
    return tuple(_text(f"{place}[{index}]", entry, problems) or "" for index, entry in enumerate(entries))


def _json_schema(place: str, value: Any, problems: Problems) -> str | None:
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        problems.add(place, f"must be a mapping or JSON text, is {shown(value)}")
        return None
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        problems.add(place, f"cannot be written as JSON: {str(error)[:100]}")
        return None


def _input_type(place: str, value: Any, problems: Problems) -> InputType:
    if isinstance(value, str) and value in tuple(InputType):
        return InputType(value)
    kinds = [kind.value for kind in InputType]
    hint = known_names(value, kinds) if isinstance(value, str) else f"known: {', '.join(kinds)}"
    problems.add(place, f"unknown type {shown(value)}; {hint}")
    return InputType.ANY


def _check_fields(place: str, data: Mapping[str, Any], known: tuple[str, ...], problems: Problems) -> None:
    for name in data:
        if name not in known:
            prefix = "" if place == "workflow" else f"{place}."
            hint = known_names(name, known) if isinstance(name, str) else f"known: {', '.join(known)}"
            problems.add(f"{prefix}{_short(name)}", f"unknown field {shown(name)}; {hint}")


def _short(name: object) -> str:
    text = str(name) if isinstance(name, str) else shown(name)
    return text if len(text) <= 64 else text[:61] + "..."


def _mapping(place: str, value: Any, problems: Problems) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    if value is None:
        return {}
    problems.add(place, f"must be a mapping, is {shown(value)}")
    return {}


def _list(place: str, value: Any, problems: Problems) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return list(value)
    problems.add(place, f"must be a list, is {shown(value)}")
    return []


def _text(place: str, value: Any, problems: Problems) -> str | None:
    if isinstance(value, str):
        return value
    problems.add(place, "is required" if value is None else f"must be text, is {shown(value)}")
    return None


def _optional_text(place: str, value: Any, problems: Problems) -> str | None:
    return None if value is None else _text(place, value, problems)


def _max_items(place: str, value: Any, problems: Problems) -> int | None:
    return None if value is None else _integer(place, value, problems)


def _number(place: str, value: Any, problems: Problems) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
        return float(value)
    problems.add(place, f"must be a finite number, is {shown(value)}")
    return 0.5


def _integer(place: str, value: Any, problems: Problems) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        problems.add(place, f"must be an integer, is {shown(value)}")
        return None
    return value


def _boolean(place: str, value: Any, problems: Problems) -> bool | None:
    if isinstance(value, bool):
        return value
    problems.add(place, f"must be true or false, is {shown(value)}")
    return None


_SAMPLING_READERS: dict[str, Reader] = {
    "max_tokens": _integer,
    "min_tokens": _integer,
    "top_k": _integer,
    "seed": _integer,
    "ignore_eos": _boolean,
    "stop": _stop,
    "json_schema": _json_schema,
}
