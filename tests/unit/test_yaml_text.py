"""Which YAML a workflow may be written in."""

from __future__ import annotations

import pytest
from specs import problems

from catenary.model.spec import SpecError, load_workflow


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "workflow: must be a mapping, is null"),
        ("[]", "workflow: must be a mapping, is a list"),
        ("a: *x", "line 1: YAML anchors and aliases are not supported; write the value out"),
        ("a: &x [1]\nb: [*x, *x]", "line 1: YAML anchors and aliases are not supported; write the value out"),
        ("name: w\ncalls:\n  a: {}\n  a: {}", "line 4: key 'a' appears twice"),
        ("%TAG ! x:\n---\na: 1", "line 1: YAML directives are not supported; remove the line"),
        ("a: !!python/name:os.system x", "line 1: YAML tag 'tag:yaml.org,2002:python/name:os.system' is not supported"),
        ("a: [", "line "),
        ("1: 2", "line 1: a key must be a text, is 1; put it in quotes"),
        ("? [a]\n: b", "line 1: a key must be a text"),
        ("a: 1\n---\nb: 2", "line 2: only one YAML document is supported"),
        ("[" * 5000, "line 1: is nested more than 24 deep"),
        ("a: [" + "1," * 30000 + "]", "line 1: the text has more than 20,480 YAML nodes"),
        ("a: '\ud800'", "workflow: holds a lone surrogate"),
        ("a: '\x00'", "workflow: is no YAML"),
    ],
)
def test_refuses_yaml_beyond_plain_values(text: str, message: str) -> None:
    assert problems(text)[0].startswith(message)


def test_refuses_bytes_that_are_no_utf8() -> None:
    with pytest.raises(SpecError, match="workflow: is no UTF-8 text: wrong byte at offset 6"):
        load_workflow(b"name: \xff")


def test_yaml_words_stay_text() -> None:
    workflow = load_workflow("name: on\ndescription: yes\ncalls: {no: {model: 1.5.2, prompt: 2024-01-01}}")
    assert (workflow.name, workflow.description, workflow.calls[0].name) == ("on", "yes", "no")
    assert workflow.calls[0].prompt == "2024-01-01"
