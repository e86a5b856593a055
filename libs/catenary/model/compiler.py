"""Checks a workflow and compiles its templates, whether it comes from YAML, Python or the wire."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from catenary.model.checks import call_label, check_fields
from catenary.model.compiled import CompiledCall, CompiledMessage, CompiledWorkflow
from catenary.model.digest import digest
from catenary.model.graph import children_of, find_cycles, longest_chain, topological_order
from catenary.model.problem import Problem, Problems, known_names, shown
from catenary.model.references import Namespace, check_references
from catenary.model.template import Template, TemplateError, compile_template
from catenary.model.value import byte_size
from catenary.model.workflow import Call, Limits, Workflow

MAX_WORKFLOW_TOKENS = 8_192
NO_ITEM = "only a call with for_each has it"


def compile_workflow(
    workflow: Workflow, limits: Limits | None = None, known_models: Collection[str] | None = None
) -> CompiledWorkflow:
    """Check a workflow and compile its templates. ``known_models`` None: any model name will do.

    Raises:
        SpecError: all problems at once.
    """
    problems = Problems()
    compiled = _compile(workflow, limits or Limits(), known_models, problems)
    problems.raise_if_any()
    assert compiled is not None
    return compiled


def check_workflow(
    workflow: Workflow, limits: Limits, known_models: Collection[str] | None = None
) -> tuple[Problem, ...]:
    """The problems that ``compile_workflow`` would raise."""
    problems = Problems()
    _compile(workflow, limits, known_models, problems)
    return tuple(problems)


def _compile(
    workflow: Workflow, limits: Limits, known_models: Collection[str] | None, problems: Problems
) -> CompiledWorkflow | None:
    size = _text_bytes(workflow)
    if size > limits.max_spec_bytes:
        problems.add("workflow", f"has {size:,} bytes of text, over {limits.max_spec_bytes:,} (max_spec_bytes)")
        return None
    check_fields(workflow, limits, problems)
    if len(workflow.calls) > limits.max_calls:
        return None
    compiler = _Compiler(workflow, limits, problems)
    calls = {call.name: compiler.call(call, known_models) for call in workflow.calls if isinstance(call.name, str)}
    output = None if workflow.output is None else compiler.template("output", workflow.output, NO_ITEM)
    parents = {name: call.parents for name, call in calls.items()}
    order = topological_order(parents)
    _check_graph(parents, order, limits, problems)
    if problems:
        return None
    return CompiledWorkflow(
        workflow=workflow,
        version=digest(workflow),
        calls=tuple(calls[name] for name in order),
        by_name=MappingProxyType(calls),
        output=output,
        child_names=MappingProxyType(children_of(parents)),
    )


class _Compiler:
    """Compiles the templates of one workflow, within a bound on all of them together."""

    def __init__(self, workflow: Workflow, limits: Limits, problems: Problems) -> None:
        self._limits = limits
        self._problems = problems
        self._tokens_left = MAX_WORKFLOW_TOKENS
        maps = {call.name: call.for_each is not None for call in workflow.calls if isinstance(call.name, str)}
        self._namespace = Namespace(inputs=tuple(workflow.inputs), is_map=maps)

    def template(
        self, place: str, source: object, item_hint: str = "", must_be_single: bool = False
    ) -> Template | None:
        if self._tokens_left < 0:
            return None
        if not isinstance(source, str):
            self._problems.add(place, f"must be text, is {shown(source)}")
            return None
        try:
            template = compile_template(source, self._limits.max_template_bytes)
        except TemplateError as error:
            self._problems.add(place, str(error))
            return None
        self._tokens_left -= template.num_tokens
        if self._tokens_left < 0:
            self._problems.add(
                place, f"the workflow's templates have more than {MAX_WORKFLOW_TOKENS:,} tokens together"
            )
        if must_be_single and template.single is None:
            self._problems.add(place, "must be one {{ expression }} and nothing else")
        for message in check_references(template, self._namespace, item_hint):
            self._problems.add(place, message)
        return template

    def call(self, call: Call, known_models: Collection[str] | None) -> CompiledCall:
        place = f"calls.{call_label(call)}"
        if known_models is not None and call.model and call.model not in known_models:
            hint = known_names(str(call.model), sorted(known_models))
            self._problems.add(f"{place}.model", f"unknown model {shown(call.model)}; {hint}")
        item_hint = "" if call.for_each is not None else NO_ITEM
        once_hint = "it is evaluated once, before the items"
        when = None if call.when is None else self.template(f"{place}.when", call.when, once_hint, True)
        for_each = None if call.for_each is None else self.template(f"{place}.for_each", call.for_each, once_hint, True)
        prompt = None if call.prompt is None else self.template(f"{place}.prompt", call.prompt, item_hint)
        contents = [
            self.template(f"{place}.messages[{index}].content", message.content, item_hint)
            for index, message in enumerate(call.messages)
        ]
        messages = tuple(
            CompiledMessage(message.role, content)
            for message, content in zip(call.messages, contents, strict=True)
            if content is not None
        )
        texts = [template for template in (prompt, *contents) if template is not None]
        literal_bytes = sum(template.literal_bytes for template in texts)
        if literal_bytes > self._limits.max_prompt_bytes:
            bound = f"{self._limits.max_prompt_bytes:,} (max_prompt_bytes)"
            self._problems.add(place, f"the prompt's fixed text has {literal_bytes:,} bytes, over {bound}")
        uses_item = for_each is not None and any("item" in template.names for template in texts)
        sources = [*texts, for_each] if for_each is not None and uses_item else texts
        everything = [*texts, *(template for template in (when, for_each) if template is not None)]
        return CompiledCall(
            call=call,
            prompt=prompt,
            messages=messages,
            when=when,
            for_each=for_each,
            max_items=self._limits.max_items if call.max_items is None else call.max_items,
            parents=self._namespace.calls_in(everything),
            prompt_parents=self._namespace.calls_in(sources),
            prompt_inputs=self._namespace.inputs_in(sources),
            literal_bytes=literal_bytes,
        )


def _check_graph(parents: Mapping[str, tuple[str, ...]], order: list[str], limits: Limits, problems: Problems) -> None:
    for cycle in find_cycles(parents, order):
        names = cycle if len(cycle) <= 12 else [*cycle[:10], "...", cycle[-1]]
        problems.add(f"calls.{cycle[0]}", f"cycle: {' -> '.join(names)}")
    chain = longest_chain(parents, order)
    if len(chain) > limits.max_depth:
        text = f"{' -> '.join(chain[:3])} -> ... -> {chain[-1]}" if len(chain) > 4 else " -> ".join(chain)
        problems.add("calls", f"the longest chain has {len(chain)} calls, over max_depth {limits.max_depth}: {text}")


def _text_bytes(workflow: Workflow) -> int:
    texts: list[object] = [workflow.name, workflow.description, workflow.output]
    for call in workflow.calls:
        texts += [call.name, call.model, call.prompt, call.when, call.for_each, call.sampling.json_schema]
        texts += call.sampling.stop
        for message in call.messages:
            texts += [message.role, message.content]
    return sum(byte_size(text) for text in texts if isinstance(text, str))
