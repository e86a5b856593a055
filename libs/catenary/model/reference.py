"""References of the Python builder: objects that stand for values of a run and print as template text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NoReturn

__all__ = ["INDEX", "ITEM", "CallReference", "Expression", "expression"]


class Expression:
    """A value that a run has later. In an f-string it becomes ``{{ ... }}``; operators build larger expressions."""

    __slots__ = ("source",)

    def __init__(self, source: str) -> None:
        self.source = source

    def __str__(self) -> str:
        return f"{{{{ {self.source} }}}}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source})"

    def __format__(self, spec: str) -> str:
        if spec:
            raise ValueError(f"{self.source}: a reference takes no format {spec!r}; use .filter(...)")
        return str(self)

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self.source} has a value in a run only; combine with |, & and ~, not or, and, not")

    def __iter__(self) -> NoReturn:
        raise TypeError(f"{self.source} has elements in a run only; use for_each=")

    def __or__(self, other: object) -> Expression:
        """This value, or the other where this one is empty or skipped."""
        return self._binary("or", other)

    def __and__(self, other: object) -> Expression:
        return self._binary("and", other)

    def __invert__(self) -> Expression:
        return Expression(f"(not {self.source})")

    def __lt__(self, other: object) -> Expression:
        return self._binary("<", other)

    def __le__(self, other: object) -> Expression:
        return self._binary("<=", other)

    def __gt__(self, other: object) -> Expression:
        return self._binary(">", other)

    def __ge__(self, other: object) -> Expression:
        return self._binary(">=", other)

    def equals(self, other: object) -> Expression:
        return self._binary("==", other)

    def contains(self, element: object) -> Expression:
        """Whether a text holds a text, a list an element or a mapping a key."""
        return Expression(f"({operand(element)} in {self.source})")

    @property
    def is_defined(self) -> Expression:
        """False for what belongs to a skipped call, and for a key that is not there."""
        return Expression(f"({self.source} is defined)")

    @property
    def length(self) -> Expression:
        return self.filter("length")

    def __getitem__(self, key: str | int) -> Expression:
        return Expression(f"{self.source}[{operand(key)}]")

    def filter(self, name: str, *arguments: object, **named: object) -> Expression:
        """Apply one of the filters that templates know, such as ``upper`` or ``truncate``."""
        given = [operand(argument) for argument in arguments]
        given += [f"{key}={operand(argument)}" for key, argument in named.items()]
        call = f"{name}({', '.join(given)})" if given else name
        return Expression(f"({self.source} | {call})")

    def _binary(self, operator: str, other: object) -> Expression:
        return Expression(f"({self.source} {operator} {operand(other)})")


class CallReference(Expression):
    """A call of the workflow. It stands for its text; a map for the list of its texts."""

    __slots__ = ("is_map", "name")

    def __init__(self, name: str, is_map: bool = False) -> None:
        super().__init__(_part_of_all(name, "text") if is_map else f"{name}.text")
        self.name = name
        self.is_map = is_map

    @property
    def text(self) -> Expression:
        """Raises: ValueError: the call is a map."""
        if self.is_map:
            raise ValueError(f"{self.name} is a map (for_each): use .texts, or [0] for one of them")
        return Expression(self.source)

    @property
    def texts(self) -> Expression:
        """Raises: ValueError: the call is no map."""
        if not self.is_map:
            raise ValueError(f"{self.name} is no map (for_each): use .text")
        return Expression(self.source)

    @property
    def json(self) -> Expression:
        """The text as a JSON value; of a map the list of them."""
        return Expression(_part_of_all(self.name, "json") if self.is_map else f"{self.name}.json")


ITEM = Expression("item")
"""The element that a call with ``for_each`` works on."""

INDEX = Expression("index")
"""The position of that element, from 0."""


def expression(value: object) -> Expression:
    """An expression for a value that may hold references."""
    return value if isinstance(value, Expression) else Expression(operand(value))


def operand(value: object) -> str:
    """Template source of a reference, a JSON value, or a list or mapping of them.

    Raises:
        TypeError: there is no such source.
    """
    if isinstance(value, Expression):
        return value.source
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, bool | int | float | None):
        return json.dumps(value) if value is not None else "none"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{quote(str(key))}: {operand(element)}" for key, element in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(operand, value)) + "]"
    raise TypeError(f"a {type(value).__name__} cannot stand in a template")


def quote(text: str) -> str:
    """A text as a template's string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\r", "\\r").replace("\n", "\\n")
    return f"'{escaped}'"


def _part_of_all(name: str, part: str) -> str:
    return f"({name} | map(attribute='{part}') | list)"
