from __future__ import annotations

import pytest

from catenary.model.builder import INDEX, ITEM, WorkflowBuilder
from catenary.model.expression import Scope
from catenary.model.reference import quote
from catenary.model.spec import SpecError, compile_workflow, load_workflow
from catenary.model.template import compile_template
from catenary.model.workflow import Message

YAML = """
name: review
slo: {deadline: 8s}
inputs: {article: string, languages: list}
calls:
  outline: {model: small, prompt: "Outline:\\n{{ inputs.article }}", max_tokens: 96, stop: [END]}
  rewrite:
    model: large
    when: "{{ ('weak' in outline.text) }}"
    messages: [{role: system, content: Be brief.}, {role: user, content: "Rewrite: {{ outline.text }}"}]
    json_schema: {type: object}
  translate:
    model: small
    for_each: "{{ inputs.languages }}"
    max_items: 8
    prompt: "{{ index }} To {{ item }}: {{ (rewrite.text or outline.text) }}"
output: "{{ (translate | map(attribute='text') | list) }}"
"""


def test_gives_the_same_workflow_as_yaml() -> None:
    wf = WorkflowBuilder("review", deadline="8s")
    article = wf.input("article", str)
    languages = wf.input("languages", list)
    outline = wf.call("outline", model="small", prompt=f"Outline:\n{article}", max_tokens=96, stop=["END"])
    rewrite = wf.call(
        "rewrite",
        model="large",
        when=outline.contains("weak"),
        messages=[("system", "Be brief."), {"role": "user", "content": f"Rewrite: {outline.text}"}],
        json_schema={"type": "object"},
    )
    translate = wf.call(
        "translate",
        model="small",
        for_each=languages,
        max_items=8,
        prompt=f"{INDEX} To {ITEM}: {rewrite | outline}",
    )
    wf.output(translate.texts)
    built = wf.build(known_models={"small", "large"})
    loaded = load_workflow(YAML)
    assert built == loaded
    assert compile_workflow(built).version == compile_workflow(loaded).version


def test_tells_every_problem_at_once() -> None:
    wf = WorkflowBuilder("review", deadline="soon")
    wf.input("x", set)
    wf.call("a", model="m", prompt="{{ b.text }}", max_tokens=0)
    wf.call("a", model="m", prompt="x", max_tokns=3)  # type: ignore[call-arg]
    with pytest.raises(SpecError) as error:
        wf.build()
    text = str(error.value)
    assert "calls.a: appears twice" in text
    assert "slo.deadline: must be a duration" in text
    assert "inputs.x: unknown type" in text
    assert "calls.a.max_tokns: unknown field 'max_tokns'" in text


def test_operators_build_expressions() -> None:
    wf = WorkflowBuilder("w")
    x = wf.input("x")
    values = {"inputs": {"x": {"n": 3, "t": "abc"}}}
    for expression, expected in [
        (x["n"] > 2, True),
        (x["n"] <= 2, False),
        ((x["n"] >= 3) & (x["n"] < 9), True),
        (~x["t"].contains("z"), True),
        (x["t"].equals("abc"), True),
        (x["t"].length, 3),
        (x["t"].filter("truncate", 2, end="."), "a."),
        (x["missing"].is_defined, False),
        (x["missing"] | x["t"].filter("upper"), "ABC"),
    ]:
        assert compile_template(str(expression), 1000).evaluate(Scope(values)) == expected, expression.source


@pytest.mark.parametrize(
    "text", ["it's", 'a "b"', "back\\slash", "line\nfeed\r\n", "{{ x }}", "ünï 😀", "\\n", "\\N{DASH}"]
)
def test_texts_survive_quoting(text: str) -> None:
    expected = text.replace("\r\n", "\r\n")
    assert compile_template(f"{{{{ {quote(text)} }}}}", 1000).evaluate(Scope({})) == expected


def test_outputs_may_be_lists_mappings_and_texts() -> None:
    wf = WorkflowBuilder("w")
    a = wf.call("a", model="m", prompt="x")
    wf.output({"text": a, "all": [a.json["k"], 1, None, True]})
    assert wf.build().output == "{{ {'text': a.text, 'all': [a.json['k'], 1, none, true]} }}"
    wf.output(f"Result: {a}")
    assert wf.build().output == "Result: {{ a.text }}"


def test_literal_lists_and_message_objects() -> None:
    wf = WorkflowBuilder("w")
    wf.call("a", model="m", for_each=["x", "y"], messages=[Message("user", f"{ITEM}")])
    call = wf.build().calls[0]
    assert call.for_each == "{{ ['x', 'y'] }}"
    assert call.messages == (Message("user", "{{ item }}"),)


def test_misused_references_say_what_to_do() -> None:
    wf = WorkflowBuilder("w")
    plain = wf.call("a", model="m", prompt="x")
    many = wf.call("b", model="m", prompt="x", for_each=[1])
    with pytest.raises(TypeError, match="combine with"):
        bool(plain.text)
    with pytest.raises(TypeError, match="use for_each"):
        list(plain.text)
    with pytest.raises(ValueError, match=r"use \.texts"):
        _ = many.text
    with pytest.raises(ValueError, match=r"use \.text"):
        _ = plain.texts
    with pytest.raises(ValueError, match="takes no format"):
        f"{plain:>10}"
