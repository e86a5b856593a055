"""The inputs of a run, checked against what the workflow declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catenary.model.compiled import CompiledWorkflow
from catenary.model.problem import Problems, known_names, shown, type_name
from catenary.model.value import MAX_EXACT_FLOAT, json_problem, weigh
from catenary.model.workflow import InputType, Limits

_TYPES: dict[InputType, tuple[type, ...]] = {
    InputType.STRING: (str,),
    InputType.NUMBER: (int, float),
    InputType.BOOLEAN: (bool,),
    InputType.LIST: (list,),
    InputType.OBJECT: (dict,),
}


def bind_inputs(compiled: CompiledWorkflow, inputs: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """The inputs as templates see them: JSON values, whole floats as integers (the wire knows only doubles).

    Raises:
        SpecError: an input is missing, undeclared, of another type, no JSON value, or all are over a bound together.
    """
    problems = Problems()
    declared = compiled.workflow.inputs
    for name in inputs:
        if name not in declared:
            problems.add(f"inputs.{_label(name)}", f"unknown input {shown(name)}; {known_names(str(name), declared)}")
    size = weigh(dict(inputs), limits.max_inputs_bytes)
    if size > limits.max_inputs_bytes:
        problems.add("inputs", f"are over {limits.max_inputs_bytes:,} bytes together (max_inputs_bytes)")
        problems.raise_if_any()
    bound: dict[str, Any] = {}
    for name, kind in declared.items():
        if name not in inputs:
            problems.add(f"inputs.{name}", f"is missing; must be a {kind}")
            continue
        problem = json_problem(inputs[name]) or _type_problem(kind, inputs[name])
        if problem:
            problems.add(f"inputs.{name}", problem)
        else:
            bound[name] = _with_whole_numbers(inputs[name])
    problems.raise_if_any()
    return bound


def _type_problem(kind: InputType, value: Any) -> str:
    if kind is InputType.ANY:
        return ""
    is_wrong_boolean = isinstance(value, bool) and kind is not InputType.BOOLEAN
    if isinstance(value, _TYPES[kind]) and not is_wrong_boolean:
        return ""
    return f"must be a {kind}, is {type_name(value)}"


def _with_whole_numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_EXACT_FLOAT:
        return int(value)
    if isinstance(value, list):
        return [_with_whole_numbers(element) for element in value]
    if isinstance(value, dict):
        return {key: _with_whole_numbers(element) for key, element in value.items()}
    return value


def _label(name: object) -> str:
    return name[:64] if isinstance(name, str) else shown(name)
