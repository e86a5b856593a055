"""A checked workflow: compiled templates and the edges that their references make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from catenary.model.template import Template
from catenary.model.workflow import Call, Workflow


@dataclass(frozen=True, slots=True)
class CompiledMessage:
    """One chat message with its template."""

    role: str
    content: Template


@dataclass(frozen=True, slots=True)
class CompiledCall:
    """One node. ``parents`` are the calls that any of its templates refers to, in the workflow's order.

    ``prompt_parents`` and ``prompt_inputs`` are the calls and inputs whose content the prompt may include.
    """

    call: Call
    prompt: Template | None
    messages: tuple[CompiledMessage, ...]
    when: Template | None
    for_each: Template | None
    max_items: int
    parents: tuple[str, ...]
    prompt_parents: tuple[str, ...]
    prompt_inputs: tuple[str, ...]
    literal_bytes: int

    @property
    def name(self) -> str:
        return self.call.name

    @property
    def is_map(self) -> bool:
        return self.for_each is not None


@dataclass(frozen=True, slots=True)
class CompiledWorkflow:
    """A workflow that passed every check. ``calls`` are in topological order; ``output`` None: every call's text."""

    workflow: Workflow
    version: str
    calls: tuple[CompiledCall, ...]
    by_name: Mapping[str, CompiledCall]
    output: Template | None
    child_names: Mapping[str, tuple[str, ...]]

    def parents(self, name: str) -> tuple[str, ...]:
        """The calls that must end before this one."""
        return self.by_name[name].parents

    def children(self, name: str) -> tuple[str, ...]:
        """The calls that wait for this one."""
        return self.child_names[name]

    def literal_bytes(self, name: str) -> int:
        """Bytes of the prompt's fixed text."""
        return self.by_name[name].literal_bytes

    def reads_inputs(self, name: str) -> tuple[str, ...]:
        """The inputs whose content the prompt may include."""
        return self.by_name[name].prompt_inputs

    def calls_of_prompt(self, name: str) -> tuple[str, ...]:
        """The calls whose text the prompt may include."""
        return self.by_name[name].prompt_parents
