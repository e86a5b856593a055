"""How a specification is read, and what is said of each mistake in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from specs import REVIEW, problems, spec

from catenary.model.spec import SpecError, compile_workflow, load_workflow, parse_workflow
from catenary.model.workflow import Call, InputType, Limits, OnMiss, Sampling, Slo, Workflow

EXAMPLE = Path(__file__).parents[2] / "examples" / "review_article.yaml"


def test_reads_the_workflow_of_the_design() -> None:
    workflow = load_workflow(REVIEW, Limits())
    assert workflow.slo == Slo(8.0, 0.95, OnMiss.FINISH)
    assert workflow.inputs == {"article": InputType.STRING, "languages": InputType.LIST}
    compiled = compile_workflow(workflow, Limits(), {"small", "large"})
    assert [call.name for call in compiled.calls] == ["outline", "critique", "facts", "rewrite", "translate"]
    assert compiled.parents("rewrite") == ("critique", "facts")
    assert compiled.children("outline") == ("critique", "translate")
    assert compiled.literal_bytes("outline") == len("Outline:\n")
    assert compiled.reads_inputs("outline") == ("article",)
    assert compiled.reads_inputs("translate") == ("languages",)
    assert compiled.calls_of_prompt("translate") == ("outline", "rewrite")
    assert compiled.calls_of_prompt("rewrite") == ("critique", "facts")


def test_the_example_is_a_workflow_with_a_deadline() -> None:
    compiled = compile_workflow(load_workflow(EXAMPLE.read_bytes()), Limits(), {"small", "large"})
    assert compiled.workflow.slo.deadline_s is not None
    assert compiled.by_name["translate"].is_map
    assert compiled.by_name["rewrite"].when is not None


def test_the_version_follows_the_content() -> None:
    first = compile_workflow(load_workflow(REVIEW))
    assert first.version == compile_workflow(load_workflow(REVIEW + "\n# a comment\n")).version
    assert first.version != compile_workflow(load_workflow(REVIEW.replace("8s", "9s"))).version
    assert len(first.version) == 16


def test_sampling_fields_stand_on_the_call() -> None:
    workflow = parse_workflow(
        spec(temperature=1, top_p=0.5, top_k=4, seed=7, stop="END", min_tokens=2, ignore_eos=True, max_tokens=5)
    )
    assert workflow.calls[0].sampling == Sampling(5, 1.0, 0.5, 4, seed=7, stop=("END",), min_tokens=2, ignore_eos=True)


def test_a_json_schema_is_a_mapping_or_text() -> None:
    as_mapping = parse_workflow(spec(json_schema={"type": "object"}))
    as_text = parse_workflow(spec(json_schema='{"type":"object"}'))
    assert as_mapping == as_text
    compile_workflow(as_mapping)


@pytest.mark.parametrize(("text", "seconds"), [("8s", 8.0), ("500ms", 0.5), ("2m", 120.0), ("1.5h", 5400.0), (3, 3.0)])
def test_deadlines_have_units(text: object, seconds: float) -> None:
    assert parse_workflow({**spec(), "slo": {"deadline": text}}).slo.deadline_s == seconds


@pytest.mark.parametrize("text", [".nan", ".inf", "nan", "-5s", "-5", "1e400s", "0s", "366d", "9000h"])
def test_a_deadline_that_is_no_time_is_refused_with_its_value(text: str) -> None:
    with pytest.raises(SpecError, match=r"slo.deadline: must be .*, is "):
        load_workflow(REVIEW.replace("deadline: 8s", f"deadline: {text}"))


def test_tells_every_problem_at_once_with_its_place() -> None:
    text = (
        REVIEW.replace("'weak' in critique", "'weak' in critque")
        .replace("max_tokens: 160", "max_token: 160")
        .replace('model: small, prompt: "List', 'model: tiny, prompt: "List')
        .replace("deadline: 8s", "deadline: soon")
    )
    found = problems(text)
    assert found[0].startswith("calls.critique.max_token: unknown field 'max_token'; known: model, prompt,")
    assert found[0].endswith("did you mean 'max_tokens'?")
    assert found[1].startswith("slo.deadline: must be a duration such as 8s")
    expected = "calls.rewrite.when: unknown name 'critque'; known: inputs, outline, critique, facts, rewrite, translate"
    assert found[2].startswith(expected)
    assert len(found) == 3


def test_names_unknown_models() -> None:
    assert problems(REVIEW, models={"small"})[0] == "calls.critique.model: unknown model 'large'; known: small"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": ...}, "calls.a.model: is required"),
        ({"prompt": ...}, "calls.a: needs a prompt or messages"),
        ({"messages": [{"role": "user", "content": "x"}]}, "calls.a: has both a prompt and messages; remove one"),
        ({"prompt": ""}, "calls.a.prompt: is empty"),
        ({"prompt": 7}, "calls.a.prompt: must be text, is 7"),
        ({"prompt": "\ud800"}, "calls.a.prompt: holds a lone surrogate, which is no Unicode text"),
        ({"max_tokens": 0}, "calls.a.max_tokens: must be an integer of 1 to 32768, is 0"),
        ({"max_tokens": True}, "calls.a.max_tokens: must be an integer, is true"),
        ({"max_tokens": "9"}, "calls.a.max_tokens: must be an integer, is '9'"),
        ({"min_tokens": 300}, "calls.a.min_tokens: must be an integer of 0 to 256, is 300"),
        ({"temperature": 2.5}, "calls.a.temperature: must be 0 to 2, is 2.5"),
        ({"temperature": float("nan")}, "calls.a.temperature: must be a finite number, is nan"),
        ({"temperature": float("inf")}, "calls.a.temperature: must be a finite number, is inf"),
        ({"top_p": 0}, "calls.a.top_p: must be over 0 and at most 1, is 0.0"),
        ({"seed": 1 << 70}, "calls.a.seed: must be an integer of 0 to 9223372036854775807, is 1180591620717411303424"),
        (
            {"seed": 1 << 700},
            "calls.a.seed: must be an integer of 0 to 9223372036854775807, is an integer of over 128 bits",
        ),
        ({"stop": ["x"] * 17}, "calls.a.stop: has 17 texts, over max_stop 16"),
        ({"stop": [""]}, "calls.a.stop[0]: is empty"),
        ({"ignore_eos": "yes"}, "calls.a.ignore_eos: must be true or false, is 'yes'"),
        ({"json_schema": "{"}, "calls.a.json_schema: is no JSON: "),
        ({"json_schema": {"type": "objct"}}, "calls.a.json_schema: is no JSON schema at type: 'objct' is not"),
        ({"json_schema": [1]}, "calls.a.json_schema: must be a mapping or JSON text, is a list"),
        ({"max_items": 4}, "calls.a.max_items: needs a for_each"),
        ({"for_each": "{{ [1] }}", "max_items": 999}, "calls.a.max_items: must be 1 to 256 (max_items), is 999"),
        ({"for_each": "items"}, "calls.a.for_each: must be one {{ expression }} and nothing else"),
        ({"when": "{{ true }} {{ false }}"}, "calls.a.when: must be one {{ expression }} and nothing else"),
        (
            {"when": "{{ item }}", "for_each": "{{ [1] }}"},
            "calls.a.when: 'item' is not known here: it is evaluated once",
        ),
        ({"prompt": "{{ item }}"}, "calls.a.prompt: 'item' is not known here: only a call with for_each has it"),
        ({"prompt": "{{ inputs.x }}"}, "calls.a.prompt: unknown input 'x'; known: none"),
        ({"prompt": "{{ a.text }}"}, "calls.a: cycle: a -> a"),
        (
            {"prompt": "{{ a.txt }}"},
            "calls.a.prompt: unknown attribute 'txt' of call 'a'; known: text, json; did you mean",
        ),
        ({"prompt": "{{ x + 1 }}"}, "calls.a.prompt: '+' is not supported (line 1)"),
        (
            {"prompt": ..., "messages": [{"role": "robot", "content": "x"}]},
            "calls.a.messages[0].role: must be one of system, user, assistant, is 'robot'",
        ),
        (
            {"prompt": ..., "messages": [{"role": "user", "contents": "x"}]},
            "calls.a.messages[0].contents: unknown field 'contents'; known: role, content; did you mean 'content'?",
        ),
        ({"prompt": ..., "messages": ["x"]}, "calls.a.messages[0]: must be a mapping, is 'x'"),
    ],
)
def test_each_mistake_has_its_own_message(changes: dict[str, Any], message: str) -> None:
    found = problems(spec(**changes))
    assert any(line.startswith(message) for line in found), found


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({**spec(), "name": "a b"}, "name: must be 1 to 64 letters, digits, '-' and '_', is 'a b'"),
        ({**spec(), "calls": {}}, "calls: a workflow needs at least one call"),
        ({**spec(), "calls": {"a-b": {"model": "m", "prompt": "x"}}}, "calls.a-b: 'a-b' is no name"),
        (
            {**spec(), "calls": {"inputs": {"model": "m", "prompt": "x"}}},
            "calls.inputs: 'inputs' has a meaning of its own",
        ),
        ({**spec(), "inputs": {"a": "string"}}, "calls.a: has the name of an input"),
        ({**spec(), "inputs": {"x": "strin"}}, "inputs.x: unknown type 'strin'; known: any, string, number,"),
        (
            {**spec(), "slo": {"deadline": 0}},
            "slo.deadline: must be over 0 and at most 86400 s (max_deadline_s), is 0.0",
        ),
        ({**spec(), "slo": {"attainment": 1}}, "slo.attainment: must be over 0 and under 1, is 1.0"),
        ({**spec(), "slo": {"on_miss": "stop"}}, "slo.on_miss: must be one of finish, fail, is 'stop'"),
        ({**spec(), "slo": {"on_mis": "fail"}}, "slo.on_mis: unknown field 'on_mis'"),
        ({**spec(), "call": {}}, "call: unknown field 'call'"),
        ({**spec(), "calls": {7: {}}}, "calls.7: 7 is no name"),
        ({**spec(), "output": "{{ b.text }}"}, "output: unknown name 'b'; known: a"),
        ({**spec(), "description": "x" * 5000}, "description: has 5,000 bytes, over 4,096"),
    ],
)
def test_mistakes_outside_calls_have_their_own_messages(data: dict[str, Any], message: str) -> None:
    assert any(line.startswith(message) for line in problems(data)), problems(data)


def test_a_map_is_a_list_of_results() -> None:
    data = spec(for_each="{{ [1, 2] }}")
    data["output"] = "{{ a.text }}"
    [problem] = problems(data)
    assert "use a[0].text or a | map(attribute='text') | list" in problem


def test_direct_workflows_are_checked_like_those_from_yaml() -> None:
    workflow = Workflow(
        name="w",
        calls=(
            Call("a", "m", prompt="x", sampling=Sampling(max_tokens="7")),  # type: ignore[arg-type]
            Call("a", "m", prompt="x"),
            Call(5, "m", prompt="x"),  # type: ignore[arg-type]
        ),
    )
    with pytest.raises(SpecError) as error:
        compile_workflow(workflow)
    assert "calls.a.max_tokens: must be an integer of 1 to 32768, is '7'" in str(error.value)
    assert "calls.a: appears twice" in str(error.value)
    assert "calls.5: 5 is no name" in str(error.value)
