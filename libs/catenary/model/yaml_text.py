"""YAML text to plain values: one document of the YAML 1.2 core types, without aliases, tags or repeated keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from catenary.model.problem import Problem, SpecError, shown
from catenary.model.value import byte_size

MAX_YAML_DEPTH = 24
DEFAULT_MAX_NODES = 20_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DIRECTIVE = re.compile(r"^%", re.MULTILINE)
_NULL = ("", "~", "null", "Null", "NULL")
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,32}\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,32}|[0-9]{1,32}(\.[0-9]{0,32})?)([eE][-+]?[0-9]{1,4})?\Z")
_NON_FINITE = re.compile(r"([-+]?)\.(inf|Inf|INF|nan|NaN|NAN)\Z")


def read_yaml(text: str, max_bytes: int, max_nodes: int = DEFAULT_MAX_NODES) -> Any:
    """Read one YAML document.

    Raises:
        SpecError: the text is over a bound, is no YAML, or uses aliases, tags, directives or repeated keys.
    """
    if len(text) > max_bytes or byte_size(text) > max_bytes:
        raise SpecError([Problem("workflow", f"is over {max_bytes:,} bytes (max_spec_bytes)")])
    directive = _DIRECTIVE.search(text)
    if directive is not None:
        line = text.count("\n", 0, directive.start()) + 1
        raise SpecError([Problem(f"line {line}", "YAML directives are not supported; remove the line")])
    try:
        return _Reader(max_nodes).read(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        place = f"line {error.problem_mark.line + 1}" if error.problem_mark else "workflow"
        raise SpecError([Problem(place, f"is no YAML: {error.problem or error.context}")]) from error
    except yaml.YAMLError as error:
        raise SpecError([Problem("workflow", f"is no YAML: {str(error)[:200]}")]) from error
    except UnicodeEncodeError as error:
        raise SpecError([Problem("workflow", "holds a lone surrogate, which is no Unicode text")]) from error


class _Reader:
    """Builds values from parser events with a stack of open containers, so that depth costs no recursion."""

    def __init__(self, max_nodes: int) -> None:
        self._max_nodes = max_nodes
        self._num_nodes = 0
        self._num_documents = 0
        self._open: list[_Container] = []
        self._result: Any = None

    def read(self, events: Iterator[Any]) -> Any:
        for event in events:
            if isinstance(event, yaml.NodeEvent):
                self._node(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._add(self._open.pop().value, event)
            elif isinstance(event, yaml.DocumentStartEvent):
                self._num_documents += 1
                if self._num_documents > 1:
                    raise _problem(event, "only one YAML document is supported; remove '---'")
        return self._result

    def _node(self, event: Any) -> None:
        self._num_nodes += 1
        if self._num_nodes > self._max_nodes:
            raise _problem(event, f"the text has more than {self._max_nodes:,} YAML nodes")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _problem(event, "YAML anchors and aliases are not supported; write the value out")
        if event.tag is not None:
            raise _problem(event, f"YAML tag {shown(event.tag)} is not supported; remove it")
        if isinstance(event, yaml.ScalarEvent):
            self._add(_scalar(event.value) if event.implicit[0] else event.value, event)
            return
        if len(self._open) >= MAX_YAML_DEPTH:
            raise _problem(event, f"is nested more than {MAX_YAML_DEPTH} deep")
        if self._open and self._open[-1].awaits_key:
            raise _problem(event, "a key must be a text")
        self._open.append(_Container([] if isinstance(event, yaml.SequenceStartEvent) else {}))

    def _add(self, value: Any, event: Any) -> None:
        if not self._open:
            self._result = value
            return
        container = self._open[-1]
        if container.awaits_key:
            if not isinstance(value, str):
                raise _problem(event, f"a key must be a text, is {shown(value)}; put it in quotes")
            if value in container.value:
                raise _problem(event, f"key {shown(value)} appears twice")
        container.add(value)


class _Container:
    """A list or mapping that is being filled."""

    __slots__ = ("_key", "value")

    def __init__(self, value: list[Any] | dict[str, Any]) -> None:
        self.value = value
        self._key: str | None = None

    @property
    def awaits_key(self) -> bool:
        return isinstance(self.value, dict) and self._key is None

    def add(self, value: Any) -> None:
        if isinstance(self.value, list):
            self.value.append(value)
        elif self._key is None:
            self._key = value
        else:
            self.value[self._key] = value
            self._key = None


def _scalar(text: str) -> Any:
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    special = _NON_FINITE.match(text)
    return float(special[1] + special[2]) if special else text


def _problem(event: Any, message: str) -> SpecError:
    return SpecError([Problem(f"line {event.start_mark.line + 1}", message)])
