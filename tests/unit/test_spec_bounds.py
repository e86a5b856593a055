"""Bounds on specifications and inputs, and what a run's inputs must be."""

from __future__ import annotations

from typing import Any

import pytest
from specs import REVIEW, problems, spec

from catenary.model.spec import SpecError, bind_inputs, compile_workflow, parse_workflow
from catenary.model.workflow import Limits


def chain(number: int) -> dict[str, Any]:
    calls = {f"c{n}": {"model": "m", "prompt": f"{{{{ c{n - 1}.text }}}}" if n else "x"} for n in range(number)}
    return {"name": "w", "calls": calls}


def test_bounds_are_named() -> None:
    assert problems(chain(20), Limits(max_calls=19)) == ["calls: has 20 calls, over max_calls 19"]
    [depth] = problems(chain(20), Limits(max_depth=19))
    assert depth.startswith("calls: the longest chain has 20 calls, over max_depth 19: c0 -> c1")
    [size] = problems(spec(prompt="x" * 11), Limits(max_template_bytes=10))
    assert size == "calls.a.prompt: is over 10 bytes (max_template_bytes)"
    [fixed] = problems(spec(prompt="x" * 11), Limits(max_prompt_bytes=10))
    assert fixed == "calls.a: the prompt's fixed text has 11 bytes, over 10 (max_prompt_bytes)"
    [whole] = problems(spec(prompt="x" * 100), Limits(max_spec_bytes=50))
    assert whole.startswith("workflow: has 1")
    [text] = problems(REVIEW, Limits(max_spec_bytes=50))
    assert text == "workflow: is over 50 bytes (max_spec_bytes)"


def test_the_templates_of_a_workflow_are_bounded_together() -> None:
    data = {"name": "w", "calls": {f"c{n}": {"model": "m", "prompt": "{{ 1 }}" * 700} for n in range(8)}}
    [problem] = problems(data)
    assert "templates have more than 8,192 tokens together" in problem


def test_a_cycle_is_named() -> None:
    data = chain(3)
    data["calls"]["c0"]["prompt"] = "{{ c2.text }}"
    data["calls"]["d"] = {"model": "m", "prompt": "{{ c1.text }}"}
    [problem] = problems(data)
    assert problem.partition(": cycle: ")[2] in ("c0 -> c1 -> c2 -> c0", "c1 -> c2 -> c0 -> c1", "c2 -> c0 -> c1 -> c2")


def bind(types: dict[str, str], inputs: dict[str, Any], limits: Limits | None = None) -> dict[str, Any]:
    compiled = compile_workflow(parse_workflow({**spec(), "inputs": types}))
    return bind_inputs(compiled, inputs, limits or Limits())


def test_inputs_are_bound_by_type() -> None:
    inputs = {"t": "x", "n": 3.0, "b": True, "l": [1.0, "y"], "o": {"k": 2.5}, "z": None}
    types = {"t": "string", "n": "number", "b": "boolean", "l": "list", "o": "object", "z": "any"}
    bound = bind(types, inputs)
    assert bound == inputs
    assert isinstance(bound["n"], int)


@pytest.mark.parametrize(
    ("types", "inputs", "message"),
    [
        ({"x": "string"}, {}, "inputs.x: is missing; must be a string"),
        ({"x": "string"}, {"x": 1}, "inputs.x: must be a string, is number"),
        ({"x": "number"}, {"x": True}, "inputs.x: must be a number, is boolean"),
        ({"x": "list"}, {"x": None}, "inputs.x: must be a list, is null"),
        ({"x": "any"}, {"x": 1, "y": 2}, "inputs.y: unknown input 'y'; known: x"),
        ({"x": "any"}, {"x": float("nan")}, "inputs.x: holds nan, which is no JSON number"),
        ({"x": "any"}, {"x": "\ud800"}, "inputs.x: holds a lone surrogate"),
        ({"x": "any"}, {"x": 1 << 60}, "inputs.x: holds an integer over 2\\*\\*53"),
        ({"x": "any"}, {"x": {1: 2}}, "inputs.x: has a key that is no text"),
        ({"x": "any"}, {"x": object()}, "inputs.x: holds a object"),
    ],
)
def test_wrong_inputs_are_refused(types: dict[str, str], inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        bind(types, inputs)


def test_deep_and_large_inputs_are_refused() -> None:
    deep: list[Any] = []
    for _ in range(30):
        deep = [deep]
    with pytest.raises(SpecError, match=r"inputs\.x: is nested more than 24 deep"):
        bind({"x": "any"}, {"x": deep})
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(SpecError, match="over 4,194,304 bytes together"):
        bind({"x": "any"}, {"x": endless})
    with pytest.raises(SpecError, match="over 100 bytes together"):
        bind({"x": "any"}, {"x": "y" * 101}, Limits(max_inputs_bytes=100))
