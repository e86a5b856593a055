from __future__ import annotations

import random
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catenary.core.progress import ChatMessageText, Ended, RunProgress, Step
from catenary.model.compiled import CompiledWorkflow
from catenary.model.compiler import compile_workflow
from catenary.model.inputs import bind_inputs
from catenary.model.outcome import Outcome
from catenary.model.spec import load_workflow, parse_workflow
from catenary.model.workflow import CallRef, Limits

REVIEW = """
name: review
inputs: {article: string, languages: list}
calls:
  outline:   {model: small, prompt: "Outline: {{ inputs.article }}"}
  critique:  {model: large, prompt: "Criticise: {{ outline.text }}"}
  facts:     {model: small, prompt: "Facts: {{ inputs.article }}"}
  rewrite:   {model: large, when: "{{ 'weak' in critique.text }}", prompt: "{{ critique.text }}+{{ facts.text }}"}
  translate: 
    {model: small, for_each: "{{ inputs.languages }}", prompt: "{{ item }}: {{ rewrite.text or outline.text }}"}
output: "{{ translate | map(attribute='text') | list }}"
"""


def compiled(calls: dict[str, Any], limits: Limits | None = None, **fields: Any) -> CompiledWorkflow:
    filled = {
        name: {"model": "m", **({} if "messages" in call else {"prompt": "x"}), **call} for name, call in calls.items()
    }
    return compile_workflow(parse_workflow({"name": "w", "calls": filled, **fields}), limits)


def progress(calls: dict[str, Any], limits: Limits | None = None, **fields: Any) -> RunProgress:
    return RunProgress(compiled(calls, limits, **fields), {}, limits or Limits())


def prompts(step: Step) -> dict[str, Any]:
    return {str(ready.ref): ready.content for ready in step.ready}


def review(languages: list[str]) -> RunProgress:
    workflow = compile_workflow(load_workflow(REVIEW))
    inputs = bind_inputs(workflow, {"article": "A", "languages": languages}, Limits())
    return RunProgress(workflow, inputs, Limits())


def test_parallel_calls_are_ready_together_and_chains_follow() -> None:
    run = review(["de", "fr"])
    assert prompts(run.start()) == {"outline": "Outline: A", "facts": "Facts: A"}
    assert prompts(run.finish(CallRef("outline"), "O")) == {"critique": "Criticise: O"}
    assert run.finish(CallRef("facts"), "F") == Step()
    assert prompts(run.finish(CallRef("critique"), "weak")) == {"rewrite": "weak+F"}
    assert prompts(run.finish(CallRef("rewrite"), "R")) == {"translate[0]": "de: R", "translate[1]": "fr: R"}
    assert (run.items("translate"), run.done("translate"), run.state("translate")) == (2, 0, "active")
    assert run.finish(CallRef("translate", 1), "T1") == Step()
    assert run.done("translate") == 1
    assert run.finish(CallRef("translate", 0), "T0").ended == Ended(Outcome.SUCCEEDED, ["T0", "T1"])
    assert run.state("translate") == "finished"


def test_a_false_condition_skips_and_a_fallback_goes_on() -> None:
    run = review(["de"])
    run.start()
    run.finish(CallRef("outline"), "O")
    run.finish(CallRef("critique"), "fine")
    step = run.finish(CallRef("facts"), "F")
    assert step.skipped == (CallRef("rewrite"),)
    assert prompts(step) == {"translate[0]": "de: O"}
    assert run.state("rewrite") == "skipped"


def test_an_empty_map_is_finished() -> None:
    run = review([])
    run.start()
    run.finish(CallRef("outline"), "O")
    run.finish(CallRef("facts"), "F")
    step = run.finish(CallRef("critique"), "fine")
    assert step.ended == Ended(Outcome.SUCCEEDED, [])
    assert (run.state("translate"), run.items("translate"), run.done("translate")) == ("finished", 0, 0)


def test_skips_spread_to_calls_without_a_fallback() -> None:
    run = progress(
        {
            "a": {"when": "{{ false }}"},
            "b": {"prompt": "{{ a.text }}"},
            "c": {"for_each": "{{ [b.text] }}"},
            "d": {"when": "{{ c | length > 0 }}"},
            "e": {"prompt": "{{ d.text | default('none') }}"},
            "f": {"for_each": "{{ [1, 2] }}", "prompt": "{{ item }} {{ a.text }}"},
        }
    )
    step = run.start()
    assert [ref.name for ref in step.skipped] == ["a", "b", "f", "c", "d"]
    assert prompts(step) == {"e": "none"}
    ended = run.finish(CallRef("e"), "E").ended
    assert ended == Ended(Outcome.SUCCEEDED, {"a": None, "b": None, "c": None, "d": None, "e": "E", "f": None})


def test_a_run_of_skipped_calls_succeeds_at_once() -> None:
    step = progress({"a": {"when": "{{ false }}"}}).start()
    assert (step.skipped, step.ended) == ((CallRef("a"),), Ended(Outcome.SUCCEEDED, {"a": None}))


def test_a_map_over_a_map_sees_its_results() -> None:
    run = progress(
        {
            "a": {"for_each": "{{ ['x', 'y'] }}"},
            "b": {"for_each": "{{ a }}", "prompt": "{{ index }} {{ item.item }} {{ item.text }} {{ item.json.k }}"},
        },
        output="{{ b | map(attribute='item') | list }}",
    )
    run.start()
    run.finish(CallRef("a", 0), '{"k": 1}')
    step = run.finish(CallRef("a", 1), '{"k": 2}')
    assert prompts(step) == {"b[0]": '0 x {"k": 1} 1', "b[1]": '1 y {"k": 2} 2'}
    run.finish(CallRef("b", 0), "")
    assert run.finish(CallRef("b", 1), "").ended == Ended(Outcome.SUCCEEDED, ['{"k": 1}', '{"k": 2}'])


def test_chat_messages_are_rendered() -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{{ inputs.x }}"}]
    workflow = compiled({"a": {"messages": messages}}, inputs={"x": "string"})
    [ready] = RunProgress(workflow, {"x": "Hi"}, Limits()).start().ready
    assert ready.content == (ChatMessageText("system", "Be brief."), ChatMessageText("user", "Hi"))
    assert ready.call.model == "m"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("{{ a.json }}", {"k": [1, None]}),
        ("{{ a.json.k[0] }}", 1),
        ("{{ a }}", '{"k": [1, null]}'),
        ("k is {{ a.json.k }}", "k is [1,null]"),
        ("{{ b.text }}", None),
        ("b is {{ b.text }}", None),
        ("{{ [a.json.k[0], b.text] }}", [1, None]),
        ("fixed", "fixed"),
        ("{{ a.json.nothing }}", None),
    ],
)
def test_a_single_expression_gives_a_json_value(output: str, expected: object) -> None:
    run = progress({"a": {}, "b": {"when": "{{ false }}"}}, output=output)
    run.start()
    assert run.finish(CallRef("a"), '{"k": [1, null]}').ended == Ended(Outcome.SUCCEEDED, expected)


def test_a_failed_item_fails_its_map_and_the_run() -> None:
    run = progress({"a": {"for_each": "{{ [1, 2] }}"}})
    run.start()
    step = run.fail(CallRef("a", 1), Outcome.FAILED, "the engine died")
    assert step.ended == Ended(Outcome.FAILED, None, "calls.a[1]: the engine died", CallRef("a", 1))
    assert run.finish(CallRef("a", 0), "late") == Step()
    assert run.ended == step.ended


def test_a_run_ends_with_the_outcome_of_its_failed_call() -> None:
    run = progress({"a": {}})
    run.start()
    ended = run.fail(CallRef("a"), Outcome.EXPIRED, "too late").ended
    assert ended is not None
    assert ended.outcome is Outcome.EXPIRED
    with pytest.raises(ValueError, match="no failure"):
        run.fail(CallRef("a"), Outcome.SUCCEEDED, "")


def failure(run: RunProgress) -> str:
    ended = run.start().ended
    assert ended is not None
    assert ended.outcome is Outcome.FAILED
    return ended.reason


def test_bounds_end_the_run_with_their_name() -> None:
    text = {"a": {"prompt": "{{ 'abcdef' | upper }}{{ 'x' }}"}}
    reason = failure(progress(text, Limits(max_prompt_bytes=6)))
    assert reason == "calls.a.prompt: the rendered prompt is over 6 bytes (max_prompt_bytes)"
    chat = {"a": {"messages": [{"role": "user", "content": "{{ 'abcd' }}"}] * 2}}
    reason = failure(progress(chat, Limits(max_prompt_bytes=6)))
    assert reason == "calls.a.messages[1].content: the rendered prompt is over 6 bytes (max_prompt_bytes)"
    items = {"a": {"for_each": "{{ [1, 2, 3] }}", "max_items": 2}}
    assert failure(progress(items)) == "calls.a.for_each: has 3 items, over max_items 2"
    reason = failure(progress({"a": {"for_each": "{{ [1, 2, 3] }}"}}, Limits(max_run_calls=2)))
    assert reason == "calls.a: takes the run to 3 calls, over max_run_calls 2"
    wide = {"a": {"for_each": "{{ [1, 2, 3] }}", "prompt": "{{ 'abc' }}"}}
    reason = failure(progress(wide, Limits(max_map_bytes=8)))
    assert reason == "calls.a: the prompts of its items are over 8 bytes (max_map_bytes) together"


def test_values_that_do_not_fit_end_the_run_with_their_place() -> None:
    assert failure(progress({"a": {"for_each": "{{ 'x' }}"}})) == "calls.a.for_each: must be a list, is a text"
    assert failure(progress({"a": {"when": "{{ 1 < 'x' }}"}})).startswith("calls.a.when: a number and a text have no")
    run = progress({"a": {}, "b": {"prompt": "{{ a.json.k }}"}})
    run.start()
    ended = run.finish(CallRef("a"), "no json").ended
    assert ended is not None
    assert ended.reason.startswith("calls.b.prompt: a.text is not JSON: ")
    assert ended.failed == CallRef("b")


def test_an_output_over_its_bound_fails_the_run() -> None:
    limits = Limits(max_output_bytes=100)
    run = progress({"a": {}}, limits, output="{{ [a.text, a.text] }}")
    run.start()
    ended = run.finish(CallRef("a"), "x" * 80).ended
    assert ended == Ended(Outcome.FAILED, None, "output: is over 100 bytes (max_output_bytes)")


def test_repeated_ends_change_nothing() -> None:
    run = progress({"a": {}, "b": {"prompt": "{{ a.text }}"}})
    run.start()
    assert prompts(run.finish(CallRef("a"), "one")) == {"b": "one"}
    assert run.finish(CallRef("a"), "two") == Step()
    assert run.fail(CallRef("a"), Outcome.FAILED, "late") == Step()
    assert run.state("b") == "active"


@pytest.mark.parametrize(
    "ref", [CallRef("b"), CallRef("z"), CallRef("a", 0), CallRef("m"), CallRef("m", 2), CallRef("m", -1)]
)
def test_ends_of_calls_that_are_not_under_way_are_refused(ref: CallRef) -> None:
    run = progress({"a": {}, "b": {"prompt": "{{ a.text }}"}, "m": {"for_each": "{{ [1, 2] }}"}})
    run.start()
    with pytest.raises(ValueError, match="no such call is under way"):
        run.finish(ref, "x")


@given(st.randoms(use_true_random=False), st.lists(st.sampled_from(["de", "fr"]), max_size=4))
@settings(max_examples=50, deadline=None)
def test_any_order_of_ends_gives_the_same_output_and_replays(rng: random.Random, languages: list[str]) -> None:
    verdict = rng.choice(["weak", "fine"])
    run = review(languages)
    log: list[tuple[CallRef, str]] = []
    open_calls = list(run.start().ready)
    while open_calls:
        ready = open_calls.pop(rng.randrange(len(open_calls)))
        text = verdict if ready.ref.name == "critique" else f"<{ready.content}>"
        log.append((ready.ref, text))
        open_calls += run.finish(ready.ref, text).ready
    source = "weak+<Facts: A>" if verdict == "weak" else "Outline: A"
    assert run.ended == Ended(Outcome.SUCCEEDED, [f"<{language}: <{source}>>" for language in languages])
    again = review(languages)
    again.start()
    for ref, text in log:
        again.finish(ref, text)
    assert again.ended == run.ended


def test_a_chain_of_three_costs_well_under_100_microseconds() -> None:
    workflow = compiled(
        {"a": {}, "b": {"prompt": "hi {{ a.text }}"}, "c": {"prompt": "ho {{ b.text }}"}}, output="{{ c.text }}"
    )
    text, refs = "lorem ipsum " * 100, [CallRef("a"), CallRef("b"), CallRef("c")]
    best_s = 1.0
    for _ in range(200):
        start = time.process_time()
        run = RunProgress(workflow, {}, Limits())
        run.start()
        for ref in refs:
            run.finish(ref, text)
        best_s = min(best_s, time.process_time() - start)
    assert run.ended is not None
    assert best_s < 100e-6
