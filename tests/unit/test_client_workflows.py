"""The forms in which a caller names a workflow, and what is wrong with arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from catenary.client.request import resolve, submit_request
from catenary.model.builder import WorkflowBuilder
from catenary.model.problem import SpecError

YAML = """
name: chain
inputs: {topic: string}
calls:
  first: {model: small, prompt: "About {{ inputs.topic }}:", max_tokens: 8}
output: "{{ first.text }}"
"""


def built() -> WorkflowBuilder:
    workflow = WorkflowBuilder("chain")
    topic = workflow.input("topic", str)
    workflow.output(workflow.call("first", model="small", prompt=f"About {topic}:", max_tokens=8))
    return workflow


def test_a_path_its_text_and_the_builder_give_the_same_workflow(tmp_path: Path) -> None:
    path = tmp_path / "chain.yaml"
    path.write_text(YAML)
    specs = [resolve(path), resolve(str(path)), resolve(YAML), resolve(built().build())]
    assert [spec.name for spec in specs] == ["chain"] * 4
    assert [spec.order for spec in specs] == [("first",)] * 4
    assert all(spec.workflow == specs[0].workflow for spec in specs)


def test_a_name_stands_for_a_registered_workflow() -> None:
    spec = resolve("chain")
    assert (spec.registered, spec.workflow) == ("chain", None)


@pytest.mark.parametrize("text", ["no such thing", "", "a/b"])
def test_what_is_none_of_these_says_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"no \.yaml path, no YAML text and no registered name"):
        resolve(text)


def test_a_wrong_workflow_names_the_place() -> None:
    with pytest.raises(SpecError, match=r"calls\.first"):
        resolve(YAML.replace("max_tokens", "max_token"))


def test_a_file_that_is_not_there_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        resolve("missing.yaml")


@pytest.mark.parametrize("deadline_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_deadline_is_over_zero_and_finite(deadline_s: float) -> None:
    with pytest.raises(ValueError, match="deadline_s: must be over 0"):
        submit_request(resolve("chain"), "r", {}, {"deadline_s": deadline_s})


def test_an_input_that_is_no_json_value_is_named() -> None:
    with pytest.raises(ValueError, match=r"inputs\.topic: a object is no JSON value"):
        submit_request(resolve("chain"), "r", {"topic": object()}, {})


def test_a_file_in_another_encoding_is_named_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: caf\u00e9\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin\.yaml: is no UTF-8 text .* at byte 9"):
        resolve(path)
