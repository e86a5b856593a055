"""What the names in a template may stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from catenary.model.problem import known_names, shown
from catenary.model.template import Reference, Template

CALL_ATTRIBUTES = ("text", "json")


@dataclass(frozen=True, slots=True)
class Namespace:
    """The declared inputs, and the calls with whether each is a map, in the workflow's order."""

    inputs: tuple[str, ...]
    is_map: Mapping[str, bool]

    def calls_in(self, templates: list[Template]) -> tuple[str, ...]:
        """The calls that the templates refer to, in the workflow's order."""
        names = {name for template in templates for name in template.names}
        return tuple(name for name in self.is_map if name in names)

    def inputs_in(self, templates: list[Template]) -> tuple[str, ...]:
        """The inputs that the templates refer to, in the workflow's order; all where ``inputs`` stands alone."""
        references = {ref.attribute for template in templates for ref in template.references if ref.name == "inputs"}
        return self.inputs if None in references else tuple(name for name in self.inputs if name in references)


def check_references(template: Template, namespace: Namespace, item_hint: str) -> Iterator[str]:
    """A message for each reference that stands for nothing. ``item_hint`` not empty: why ``item`` is not known."""
    for reference in template.references:
        message = _problem(reference, namespace, item_hint)
        if message:
            yield message


def _problem(reference: Reference, namespace: Namespace, item_hint: str) -> str:
    name, attribute = reference.name, reference.attribute
    if name == "inputs":
        if attribute is None or attribute in namespace.inputs:
            return ""
        return f"unknown input {shown(attribute)}; {known_names(str(attribute), namespace.inputs)}"
    if name in ("item", "index"):
        return f"{name!r} is not known here: {item_hint}" if item_hint else ""
    if name not in namespace.is_map:
        known = [
            *(["inputs"] if namespace.inputs else []),
            *([] if item_hint else ["item", "index"]),
            *namespace.is_map,
        ]
        return f"unknown name {shown(name)}; {known_names(name, known)}"
    if namespace.is_map[name]:
        if attribute is None or isinstance(attribute, int):
            return ""
        part = attribute if attribute in CALL_ATTRIBUTES else "text"
        return (
            f"{name!r} is a list of results (for_each): use {name}[0].{part} or {name} | map(attribute='{part}') | list"
        )
    if attribute is None or attribute in CALL_ATTRIBUTES:
        return ""
    return f"unknown attribute {shown(attribute)} of call {name!r}; {known_names(str(attribute), CALL_ATTRIBUTES)}"
