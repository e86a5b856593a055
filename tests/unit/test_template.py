from __future__ import annotations

import time

import pytest

from catenary.model.template import (
    Budget,
    CallResult,
    Missing,
    Scope,
    SkippedError,
    Template,
    TemplateError,
    compile_template,
)

MAX_BYTES = 1 << 16
SKIPPED = Missing("rewrite is skipped", skipped=True)
VALUES = {
    "inputs": {"article": "Slack chains hang.", "languages": ["de", "fr"], "count": 3, "flag": True, "none": None},
    "critique": CallResult("critique", "This is Weak."),
    "score": CallResult("score", '{"value": 7, "tags": ["a", "b"]}'),
    "rewrite": SKIPPED,
    "translate": [
        CallResult("translate[0]", "Ketten", item="de", index=0),
        CallResult("translate[1]", '{"fr": 1}', item="fr", index=1),
    ],
}


def template(source: str) -> Template:
    return compile_template(source, MAX_BYTES)


def value(source: str, **values: object) -> object:
    return template(f"{{{{ {source} }}}}").evaluate(Scope({**VALUES, **values}))


def render(source: str, max_bytes: int = 1 << 20) -> str:
    return template(source).render(Scope(VALUES, item="de", index=0), max_bytes)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain text\n", "plain text\n"),
        ("{{ inputs.article }}!", "Slack chains hang.!"),
        ("{{ inputs['article'] }}", "Slack chains hang."),
        ("{{ critique.text }} {{ critique }}", "This is Weak. This is Weak."),
        ("{{ item }}-{{ index }}", "de-0"),
        ("{{ inputs.count }} {{ inputs.flag }} {{ inputs.none }}", "3 true null"),
        ("{{ inputs.languages }}", '["de","fr"]'),
        ("{{ translate }}", '["Ketten","{\\"fr\\": 1}"]'),
        ("{# a comment #}kept{% raw %}{{ raw }}{% endraw %}", "kept{{ raw }}"),
        ("a {{- ' b ' -}} c", "a b c"),
        ("{{ rewrite.text or critique.text }}", "This is Weak."),
        ("{{ rewrite.text | default('none') }}", "none"),
        ("{{ score.json.value }}", "7"),
    ],
)
def test_renders_text(source: str, expected: str) -> None:
    assert render(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("'Weak' in critique.text", True),
        ("'weak' not in critique.text | lower", False),
        ("score.json.value > 5 and score.json.value <= 7", True),
        ("1 < 2 < 3", True),
        ("inputs.count == 3 and not inputs.none", True),
        ("'yes' if inputs.flag else 'no'", "yes"),
        ("rewrite is defined", False),
        ("critique.text is defined", True),
        ("rewrite is undefined", True),
        ("inputs.none is none", True),
        ("critique.json is defined", False),
        ("score.json.missing | default(5)", 5),
        ("score.json.tags[-1]", "b"),
        ("score.json.tags[9] is defined", False),
        ("not rewrite.text", True),
        ("translate | map(attribute='text') | list", ["Ketten", '{"fr": 1}']),
        ("translate | map(attribute='item') | join(', ')", "de, fr"),
        ("translate | map(attribute='json.fr') | last", 1),
        ("(translate | first).index", 0),
        ("translate[0].text | upper", "KETTEN"),
        ("translate | length", 2),
        ("inputs.languages | sort(reverse=true)", ["fr", "de"]),
        ("['b', 'a', 'b'] | unique | sort", ["a", "b"]),
        ("[] | first | default('x')", "x"),
        ("' x ' | trim", "x"),
        ("'abc' | replace('b', 'xx')", "axxc"),
        ("'one two three' | truncate(9)", "one..."),
        ("'one two three' | truncate(9, true)", "one tw..."),
        ("'7.5' | float", 7.5),
        ("'7' | int", 7),
        ("'seven' | int(default=-1)", -1),
        ("'nan' | float", 0.0),
        ("'a\"b' | tojson", '"a\\"b"'),
        ("{'a': critique.text, 'b': [1, none]}", {"a": "This is Weak.", "b": [1, None]}),
        ("'' | default('x', true)", "x"),
        ("{'k': 1} | list", ["k"]),
        ("-1", -1),
    ],
)
def test_evaluates_to_a_value(source: str, expected: object) -> None:
    assert value(source) == expected


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("{% for a in b %}{% endfor %}", "{% for %} is not supported"),
        ("{% if a %}{% endif %}", "{% if %} is not supported"),
        ("{% macro a() %}{% endmacro %}", "{% macro %} is not supported"),
        ("{% set a = 1 %}", "is not supported"),
        ("{{ a * 3 }}", "'*' is not supported"),
        ("{{ a + 3 }}", "'+' is not supported"),
        ("{{ a ** 3 }}", "'**' is not supported"),
        ("{{ a ~ b }}", "'~' is not supported"),
        ("{{ a.upper() }}", "calling a function is not supported"),
        ("{{ a[b] }}", "a subscript must be a constant"),
        ("{{ a[1:2] }}", "a subscript must be a constant"),
        ("{{ a | uper }}", "unknown filter 'uper'; known: "),
        ("{{ a | uper }}", "did you mean 'upper'?"),
        ("{{ a | map('upper') }}", "filter map takes at most 0 unnamed arguments"),
        ("{{ a | replace('x') }}", "filter replace needs the argument 'new'"),
        ("{{ a | join(', ', sep='x') }}", "unknown or repeated argument 'sep'"),
        ("{{ a | join(*b) }}", "are not supported"),
        ("{{ a is divisibleby(3) }}", "is not supported"),
        ("{{ a if b }}", "needs an 'else'"),
        ("{{ a", "template syntax, line 1"),
        ("{{ }}", "template syntax, line 1"),
        ("{{ 'a }}", "template syntax"),
        ("{{ " + "9" * 5000 + " }}", "too many digits"),
        ("{{ 99999999999999999999 }}", "over 2**53"),
        ("{{ 1e999 }}", "too large"),
        ("{{ '\\ud800' }}", "surrogate"),
        ("\ud800", "surrogate"),
        ("{{ {a: 1} }}", "a key of a mapping must be a constant text"),
        ("{{ (" * 1 + "(" * 2000 + "a" + ")" * 2001 + " }}", "nested more than 32 deep"),
        ("{{ a" + ".b" * 100 + " }}", "nested more than 32 deep"),
        ("{{ [" + "1," * 1500 + "] }}", "operations"),
        ("{{a}}" * 2000, "tokens"),
        ("x" * (MAX_BYTES + 1), "over 65,536 bytes"),
    ],
)
def test_refuses_what_is_not_allow_listed(source: str, part: str) -> None:
    with pytest.raises(TemplateError) as error:
        compile_template(source, MAX_BYTES)
    assert part in str(error.value)


@pytest.mark.parametrize(
    "source",
    [
        "{{ rewrite.text }}",
        "{{ rewrite }}",
        "{{ rewrite.text | upper }}",
        "{{ rewrite.json.a }}",
        "{{ [rewrite.text] }}",
        "{{ [critique.text, rewrite.text] | join }}",
        "{{ 'a' in rewrite.text }}",
    ],
)
def test_text_that_needs_a_skipped_call_is_skipped(source: str) -> None:
    with pytest.raises(SkippedError):
        render(source)


def test_a_condition_on_a_skipped_call_is_skipped() -> None:
    with pytest.raises(SkippedError, match="rewrite is skipped"):
        template("{{ rewrite.text == 'x' }}").decide(Scope(VALUES))
    assert not template("{{ rewrite.text or '' }}").decide(Scope(VALUES))


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("{{ critique.json.a }}", "critique.text is not JSON"),
        ("{{ score.json.nothing }}", "score.json.nothing: there is no such key"),
        ("{{ score.json.tags[5] }}", "score.json.tags[5]: there are only 2 elements"),
        ("{{ inputs.count | length }}", "length needs a text, a list or a mapping, not a number"),
        ("{{ inputs.count < 'x' }}", "have no order"),
        ("{{ inputs.count in inputs.article }}", "a text cannot hold a number"),
        ("{{ inputs.article | join }}", "join needs a list"),
        ("{{ [1, 'a'] | sort }}", "sort needs texts only or numbers only"),
        ("{{ 'a' | truncate(1.5) }}", "must be a whole number"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_that_names_it(source: str, part: str) -> None:
    with pytest.raises(TemplateError) as error:
        render(source)
    assert not isinstance(error.value, SkippedError)
    assert part in str(error.value)


@pytest.mark.parametrize("text", ["NaN", "[" * 500 + "]" * 500, '"\\ud800"', "1e999", "{'a': 1}", "9" * 5000 + "x", ""])
def test_text_that_is_no_portable_json_has_no_json(text: str) -> None:
    assert isinstance(CallResult("a", text).json, Missing)


def test_rendering_stops_at_its_bound() -> None:
    assert len(render("{{ inputs.article }}" * 3, 54)) == 54
    with pytest.raises(TemplateError, match="over 53 bytes"):
        render("{{ inputs.article }}" * 3, 53)
    with pytest.raises(TemplateError, match="over 1 bytes"):
        compile_template("é", 2).render(Scope({}), 1)


@pytest.mark.parametrize(
    "source",
    [
        "{{ big | replace('a', '" + "b" * 1000 + "') }}",
        "{{ big | replace('', '" + "b" * 1000 + "') }}",
        "{{ [" + "big," * 500 + "] | join(big) }}",
        "{{ [" + "big," * 900 + "] }}",
        "{{ [" + "'x' in big," * 300 + "] }}",
        "{{ many | sort | unique | join(',') }}",
        "{{ many | map(attribute='a') | list }}",
        "{{ many == many2 }}",
        "{{ big | tojson | tojson | tojson | tojson | tojson }}",
        "{{ [big, big] | sort == [big, big] }}",
        "{{ objects | tojson }}",
        "{{ objects | unique | length }}",
    ],
)
def test_work_is_bounded(source: str) -> None:
    many = [str(n) for n in range(200_000)]
    scope = Scope(
        {"big": "a" * 1_000_000, "many": many, "many2": list(many), "objects": [{"a": n} for n in range(100_000)]}
    )
    compiled = compile_template(source, MAX_BYTES)
    start = time.process_time()
    with pytest.raises(TemplateError, match=r"steps|bytes"):
        compiled.render(scope, 1 << 20)
    assert time.process_time() - start < 0.3


def test_a_budget_is_shared_by_the_templates_of_a_step() -> None:
    scope = Scope({"big": "a" * 1000}, Budget(2500))
    compiled = template("{{ big | lower }}")
    compiled.render(scope, 10_000)
    compiled.render(scope, 10_000)
    with pytest.raises(TemplateError, match="steps"):
        compiled.render(scope, 10_000)


def test_references_list_each_name_with_its_first_attribute() -> None:
    found = template("{{ a.text }} {{ inputs.x | join(b.json.c) }} {{ item }}").references
    assert {(reference.name, reference.attribute) for reference in found} == {
        ("a", "text"),
        ("inputs", "x"),
        ("b", "json"),
        ("item", None),
    }


def test_only_a_lone_expression_is_single() -> None:
    assert template(" {{ a }}\n").single is not None
    assert template("x {{ a }}").single is None
    assert template("{{ a }}{{ b }}").single is None
    with pytest.raises(TemplateError, match="must be one"):
        template("x {{ a }}").evaluate(Scope({"a": 1}))
