"""Workflows built in Python: references stand in f-strings, and the result is the same as from YAML.

Example::

    wf = WorkflowBuilder("review", deadline="8s")
    article = wf.input("article", str)
    languages = wf.input("languages", list)
    outline = wf.call("outline", model="small", prompt=f"Outline:\\n{article}", max_tokens=96)
    rewrite = wf.call("rewrite", model="large", when=outline.text.contains("weak"), prompt=f"Rewrite: {outline}")
    translate = wf.call("translate", model="small", for_each=languages, prompt=f"To {ITEM}: {rewrite | outline}")
    wf.output(translate.texts)
    workflow = wf.build()
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias, TypedDict, Unpack

from catenary.model.compiler import compile_workflow
from catenary.model.problem import Problem, SpecError, shown
from catenary.model.reference import INDEX, ITEM, CallReference, Expression, expression
from catenary.model.spec import parse_workflow
from catenary.model.workflow import InputType, Limits, Message, OnMiss, Workflow

__all__ = ["INDEX", "ITEM", "CallReference", "Expression", "WorkflowBuilder"]

InputKind: TypeAlias = type | InputType | str
MessageLike: TypeAlias = Message | tuple[str, object] | Mapping[str, object]

_KINDS: dict[object, InputType] = {
    str: InputType.STRING,
    int: InputType.NUMBER,
    float: InputType.NUMBER,
    bool: InputType.BOOLEAN,
    list: InputType.LIST,
    dict: InputType.OBJECT,
    object: InputType.ANY,
}


class SamplingFields(TypedDict, total=False):
    """How tokens are drawn; see ``catenary.model.workflow.Sampling`` for the meaning and the defaults."""

    max_tokens: int
    temperature: float
    top_p: float
    top_k: int
    presence_penalty: float
    frequency_penalty: float
    repetition_penalty: float
    seed: int
    stop: str | Sequence[str]
    min_tokens: int
    ignore_eos: bool
    json_schema: str | Mapping[str, Any]


class WorkflowBuilder:
    """Collects the parts of one workflow; ``build`` checks all of them at once."""

    def __init__(
        self,
        name: str,
        *,
        deadline: str | float | None = None,
        attainment: float = 0.95,
        on_miss: OnMiss | str = OnMiss.FINISH,
        description: str = "",
    ) -> None:
        """``deadline`` is a text such as ``8s`` or ``500ms``, or seconds."""
        self._name = name
        self._description = description
        self._slo = {"deadline": deadline, "attainment": attainment, "on_miss": on_miss}
        self._inputs: dict[str, Any] = {}
        self._calls: dict[str, dict[str, Any]] = {}
        self._output: str | None = None
        self._problems: list[Problem] = []

    def input(self, name: str, kind: InputKind = InputType.ANY) -> Expression:
        """Declare an input; ``kind`` is a Python type such as ``str`` or ``list``, or an input type's name."""
        if name in self._inputs:
            self._problems.append(Problem(f"inputs.{name}", "is declared twice"))
        self._inputs[name] = _KINDS.get(kind, str(kind) if isinstance(kind, str) else shown(kind))
        return Expression(f"inputs.{name}")

    def call(
        self,
        name: str,
        *,
        model: str,
        prompt: str | Expression | None = None,
        messages: Sequence[MessageLike] = (),
        when: str | Expression | None = None,
        for_each: str | Expression | Sequence[object] | None = None,
        max_items: int | None = None,
        **sampling: Unpack[SamplingFields],
    ) -> CallReference:
        """Add a call. ``when``: it is skipped unless the condition holds.

        ``for_each`` runs it for each element of a list; ``ITEM`` and ``INDEX`` stand for the element and its position.
        The reference stands for the call's text, or for the list of its texts.
        """
        if name in self._calls:
            self._problems.append(Problem(f"calls.{name}", "appears twice"))
        self._calls[name] = {
            "model": model,
            "prompt": None if prompt is None else str(prompt),
            "messages": [_message(entry) for entry in messages],
            "when": None if when is None else str(when),
            "for_each": None if for_each is None else _list_template(for_each),
            "max_items": max_items,
            **sampling,
        }
        return CallReference(name, is_map=for_each is not None)

    def output(self, value: object) -> None:
        """Set the run's output: a reference, a list or mapping of references, or a text with references in it."""
        self._output = value if isinstance(value, str) else str(expression(value))

    def build(self, limits: Limits | None = None, known_models: Collection[str] | None = None) -> Workflow:
        """The checked workflow.

        Raises:
            SpecError: all problems at once.
        """
        data = {
            "name": self._name,
            "description": self._description,
            "slo": self._slo,
            "inputs": self._inputs,
            "calls": self._calls,
            "output": self._output,
        }
        try:
            workflow = parse_workflow(data, limits)
            compile_workflow(workflow, limits, known_models)
        except SpecError as error:
            raise SpecError([*self._problems, *error.problems]) from None
        if self._problems:
            raise SpecError(self._problems)
        return workflow


def _message(entry: MessageLike) -> dict[str, Any]:
    if isinstance(entry, Message):
        return {"role": entry.role, "content": entry.content}
    if isinstance(entry, Mapping):
        return {key: str(value) if isinstance(value, Expression) else value for key, value in entry.items()}
    role, content = entry
    return {"role": role, "content": str(content) if isinstance(content, Expression) else content}


def _list_template(value: str | Expression | Sequence[object]) -> str:
    return value if isinstance(value, str) else str(expression(value))
