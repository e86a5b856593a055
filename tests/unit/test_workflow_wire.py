from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import duration_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from catenary.model.compiler import compile_workflow
from catenary.model.spec import SpecError, load_workflow
from catenary.model.workflow import Call, InputType, Message, OnMiss, Sampling, Slo, Workflow
from catenary.runtime.wire.workflow import (
    sampling_from_proto,
    sampling_to_proto,
    workflow_from_proto,
    workflow_to_proto,
)
from catenary.v1 import workflow_pb2

EXAMPLE = Path(__file__).parents[2] / "examples" / "review_article.yaml"

samplings = st.builds(
    Sampling,
    max_tokens=st.integers(1, 32_768),
    temperature=st.floats(0, 2),
    top_p=st.floats(0.01, 1),
    top_k=st.integers(0, 2**31 - 1),
    presence_penalty=st.floats(-2, 2),
    frequency_penalty=st.floats(-2, 2),
    repetition_penalty=st.floats(0.01, 2),
    seed=st.none() | st.integers(0, 2**63 - 1),
    stop=st.lists(st.text(min_size=1, max_size=4), max_size=3).map(tuple),
    min_tokens=st.integers(0, 1),
    ignore_eos=st.booleans(),
    json_schema=st.none() | st.just('{"type":"object"}'),
)
texts = st.text(min_size=1, max_size=20)
calls = st.builds(
    Call,
    name=st.from_regex(r"[a-z_][a-z0-9_]{0,9}", fullmatch=True),
    model=st.just("m"),
    prompt=texts,
    sampling=samplings,
    when=st.none() | texts,
    for_each=st.none() | texts,
    max_items=st.none() | st.integers(1, 256),
) | st.builds(
    Call,
    name=st.just("chat"),
    model=st.just("m"),
    messages=st.lists(st.builds(Message, role=st.just("user"), content=texts), min_size=1, max_size=3).map(tuple),
)
workflows = st.builds(
    Workflow,
    name=st.just("w"),
    calls=st.lists(calls, max_size=3).map(tuple),
    slo=st.builds(
        Slo,
        deadline_s=st.none() | st.floats(0.001, 86_400).map(lambda seconds: round(seconds, 9)),
        attainment=st.floats(0.01, 0.99),
        on_miss=st.sampled_from(OnMiss),
    ),
    inputs=st.dictionaries(st.sampled_from("xyz"), st.sampled_from(InputType)),
    output=st.none() | texts,
    description=st.text(max_size=9),
)


@given(workflows)
@settings(max_examples=100, deadline=None)
def test_a_workflow_survives_the_wire(workflow: Workflow) -> None:
    wire = workflow_to_proto(workflow).SerializeToString()
    assert workflow_from_proto(workflow_pb2.Workflow.FromString(wire)) == workflow


@given(samplings)
@settings(max_examples=100, deadline=None)
def test_sampling_survives_the_wire(sampling: Sampling) -> None:
    assert sampling_from_proto(sampling_to_proto(sampling)) == sampling


def test_the_version_is_the_same_on_both_sides() -> None:
    workflow = load_workflow(EXAMPLE.read_text())
    received = workflow_from_proto(workflow_to_proto(workflow))
    assert compile_workflow(received).version == compile_workflow(workflow).version


def test_unset_fields_take_the_documented_defaults() -> None:
    call = workflow_pb2.Call(name="a", model=workflow_pb2.ModelTask(model="m", prompt="x"))
    message = workflow_pb2.Workflow(name="w", calls=[call], inputs={"x": workflow_pb2.INPUT_TYPE_UNSPECIFIED})
    expected = Workflow("w", (Call("a", "m", prompt="x"),), inputs={"x": InputType.ANY})
    assert workflow_from_proto(message) == expected
    assert sampling_from_proto(workflow_pb2.SamplingParams()) == Sampling()


def test_optional_fields_set_to_zero_are_kept() -> None:
    assert sampling_from_proto(workflow_pb2.SamplingParams(top_p=0.0)).top_p == 0.0


def test_unknown_values_and_missing_tasks_are_problems_with_places() -> None:
    message = workflow_pb2.Workflow(
        name="w",
        slo=workflow_pb2.Slo(),
        calls=[
            workflow_pb2.Call(name="a"),
            workflow_pb2.Call(name="b", external=workflow_pb2.ExternalTask(name="x")),
        ],
    )
    message.slo.on_miss = 9  # type: ignore[assignment]
    message.inputs["x"] = 77  # type: ignore[assignment]
    with pytest.raises(SpecError) as error:
        workflow_from_proto(message)
    assert str(error.value).splitlines() == [
        "calls.a: has no task; set `model`",
        "calls.b: has a task of the kind 'external', which is reserved; set `model`",
        "slo.on_miss: unknown value 9; known: finish, fail",
        "inputs.x: unknown type 77; known: any, string, number, boolean, list, object",
    ]


def test_wire_values_out_of_bounds_are_refused_by_compiling() -> None:
    task = workflow_pb2.ModelTask(model="m", sampling=workflow_pb2.SamplingParams(temperature=float("nan")))
    message = workflow_pb2.Workflow(
        name="w",
        calls=[workflow_pb2.Call(name="a", model=task)],
        slo=workflow_pb2.Slo(deadline=duration_pb2.Duration(seconds=-1), attainment=float("nan")),
    )
    with pytest.raises(SpecError) as error:
        compile_workflow(workflow_from_proto(message))
    text = str(error.value)
    assert "slo.deadline: must be over 0 and at most 86400 s (max_deadline_s), is -1.0" in text
    assert "slo.attainment: must be over 0 and under 1, is nan" in text
    assert "calls.a.temperature: must be 0 to 2, is nan" in text
    assert "calls.a: needs a prompt or messages" in text
