"""The expressions that templates are made of, and their evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from catenary.model.problem import type_name
from catenary.model.value import CallResult, Missing, TemplateError, Value, plain, weigh

MAX_WORK = 4_000_000
WALK_WORK = 3
RESULT_ATTRIBUTES = ("text", "json", "item", "index")


class Budget:
    """The work that one evaluation may do, in steps of about ten nanoseconds."""

    __slots__ = ("left",)

    def __init__(self, work: int = MAX_WORK) -> None:
        self.left = work

    def spend(self, work: int) -> None:
        """Raises: TemplateError: the budget is used up."""
        self.left -= work
        if self.left < 0:
            raise TemplateError(f"evaluation takes more than {MAX_WORK:,} steps; use fewer or smaller values")

    def weigh(self, value: Value) -> int:
        """Spend the work of reading a value, and return it."""
        work = len(value) if isinstance(value, str) else WALK_WORK * weigh(value, self.left // WALK_WORK)
        self.spend(work)
        return work


class Scope:
    """What names mean: ``values`` by name, and the item and index of a map's call."""

    __slots__ = ("budget", "index", "item", "values")

    def __init__(
        self, values: Mapping[str, Value], budget: Budget | None = None, item: Value = None, index: int | None = None
    ) -> None:
        self.values = values
        self.budget = budget if budget is not None else Budget()
        self.item = item
        self.index = index


class Node(Protocol):
    """One node of an expression."""

    def evaluate(self, scope: Scope) -> Value:
        """Raises: TemplateError: the operation does not fit its values, or the scope's budget is used up."""


@dataclass(frozen=True, slots=True)
class Literal:
    value: Value

    def evaluate(self, scope: Scope) -> Value:
        return self.value


@dataclass(frozen=True, slots=True)
class Name:
    name: str

    def evaluate(self, scope: Scope) -> Value:
        return scope.values[self.name]


@dataclass(frozen=True, slots=True)
class Item:
    def evaluate(self, scope: Scope) -> Value:
        return scope.item


@dataclass(frozen=True, slots=True)
class Index:
    def evaluate(self, scope: Scope) -> Value:
        return scope.index


@dataclass(frozen=True, slots=True)
class Part:
    """An attribute or subscript. ``label`` is the expression's text, for messages."""

    target: Node
    key: str | int
    label: str

    def evaluate(self, scope: Scope) -> Value:
        return get_part(self.target.evaluate(scope), self.key, self.label, scope.budget)


def get_part(value: Value, key: str | int, label: str, budget: Budget) -> Value:
    """``value.key`` or ``value[key]``; Missing where there is no such thing."""
    if isinstance(value, CallResult):
        if key == "text":
            return value.text
        if key == "json":
            budget.spend(len(value.text))
            return value.json
        if key in RESULT_ATTRIBUTES:
            return getattr(value, str(key))
    elif isinstance(value, Missing):
        return value
    elif isinstance(value, dict):
        if key in value:
            return value[key]
        return Missing(f"{label}: there is no such key")
    elif isinstance(value, list | str) and isinstance(key, int):
        if -len(value) <= key < len(value):
            return value[key]
        return Missing(f"{label}: there are only {len(value)} elements")
    return Missing(f"{label}: a {type_name(plain(value))} has no such part")


@dataclass(frozen=True, slots=True)
class ListLiteral:
    elements: tuple[Node, ...]

    def evaluate(self, scope: Scope) -> Value:
        return [element.evaluate(scope) for element in self.elements]


@dataclass(frozen=True, slots=True)
class DictLiteral:
    entries: tuple[tuple[str, Node], ...]

    def evaluate(self, scope: Scope) -> Value:
        return {key: value.evaluate(scope) for key, value in self.entries}


@dataclass(frozen=True, slots=True)
class FilterCall:
    """A filter with its arguments in the order of its parameters; ``takes_missing`` for ``default`` alone."""

    apply: Callable[..., Value]
    target: Node
    arguments: tuple[Node, ...]
    takes_missing: bool

    def evaluate(self, scope: Scope) -> Value:
        value = plain(self.target.evaluate(scope))
        if isinstance(value, Missing) and not self.takes_missing:
            return value
        arguments = [plain(argument.evaluate(scope)) for argument in self.arguments]
        if not self.takes_missing:
            for argument in arguments:
                if isinstance(argument, Missing):
                    return argument
        return self.apply(scope.budget, value, *arguments)


@dataclass(frozen=True, slots=True)
class IsDefined:
    target: Node

    def evaluate(self, scope: Scope) -> Value:
        return not isinstance(self.target.evaluate(scope), Missing)


@dataclass(frozen=True, slots=True)
class IsNone:
    target: Node

    def evaluate(self, scope: Scope) -> Value:
        return self.target.evaluate(scope) is None


@dataclass(frozen=True, slots=True)
class And:
    left: Node
    right: Node

    def evaluate(self, scope: Scope) -> Value:
        left = self.left.evaluate(scope)
        return self.right.evaluate(scope) if left else left


@dataclass(frozen=True, slots=True)
class Or:
    left: Node
    right: Node

    def evaluate(self, scope: Scope) -> Value:
        left = self.left.evaluate(scope)
        return left if left else self.right.evaluate(scope)


@dataclass(frozen=True, slots=True)
class Not:
    target: Node

    def evaluate(self, scope: Scope) -> Value:
        return not self.target.evaluate(scope)


@dataclass(frozen=True, slots=True)
class Choice:
    """``chosen if test else other``."""

    test: Node
    chosen: Node
    other: Node

    def evaluate(self, scope: Scope) -> Value:
        return self.chosen.evaluate(scope) if self.test.evaluate(scope) else self.other.evaluate(scope)


@dataclass(frozen=True, slots=True)
class Compare:
    """``first op operand op operand ...``; Missing where an operand is."""

    first: Node
    rest: tuple[tuple[str, Node], ...]

    def evaluate(self, scope: Scope) -> Value:
        left = plain(self.first.evaluate(scope))
        for operator, node in self.rest:
            right = plain(node.evaluate(scope))
            for side in (left, right):
                if isinstance(side, Missing):
                    return side
            if not compare(operator, left, right, scope.budget):
                return False
            left = right
        return True


def compare(operator: str, left: Value, right: Value, budget: Budget) -> bool:
    """Apply a Jinja comparison: eq, ne, lt, lteq, gt, gteq, in, notin."""
    budget.weigh(left)
    budget.weigh(right)
    if operator == "eq":
        return bool(left == right)
    if operator == "ne":
        return bool(left != right)
    if operator in ("in", "notin"):
        return contains(right, left) is (operator == "in")
    if not _is_ordered(left, right):
        raise TemplateError(
            f"a {type_name(left)} and a {type_name(right)} have no order; convert with int, float or length"
        )
    if operator == "lt":
        return bool(left < right)
    if operator == "lteq":
        return bool(left <= right)
    return bool(left > right) if operator == "gt" else bool(left >= right)


def contains(container: Value, element: Value) -> bool:
    """Whether a text holds a text, a list an element or a mapping a key."""
    if isinstance(container, str):
        if not isinstance(element, str):
            raise TemplateError(f"a text cannot hold a {type_name(element)}")
        return element in container
    if isinstance(container, list):
        return any(plain(candidate) == element for candidate in container)
    if isinstance(container, dict):
        return isinstance(element, str) and element in container
    raise TemplateError(f"'in' needs a text, a list or a mapping, not a {type_name(container)}")


def _is_ordered(left: Value, right: Value) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    return (isinstance(left, str) and isinstance(right, str)) or (
        isinstance(left, int | float) and isinstance(right, int | float)
    )
