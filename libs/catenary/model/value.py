"""The values that templates compute with: JSON values, results of calls, and values that are missing."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

MAX_VALUE_DEPTH = 24
MAX_EXACT_FLOAT = 2.0**53

Value: TypeAlias = Any
"""None, bool, int, float, str, list, dict, CallResult or Missing."""


class TemplateError(Exception):
    """A template cannot be compiled or evaluated; the text says why."""


class SkippedError(TemplateError):
    """A template depends on a skipped call and names no fallback."""


class TooLongError(TemplateError):
    """A rendered text is over its bound."""


@dataclass(frozen=True, slots=True)
class Missing:
    """The value of a skipped call (``skipped``), or of a key, index or JSON document that is not there. Falsy."""

    reason: str
    skipped: bool = False

    def __bool__(self) -> bool:
        return False

    def refuse(self) -> NoReturn:
        """Raises: SkippedError: a call was skipped. TemplateError: the value is not there."""
        raise (SkippedError if self.skipped else TemplateError)(self.reason)


class CallResult:
    """What a finished call gave. ``item`` and ``index`` are those of its map, None for a plain call."""

    __slots__ = ("_json", "index", "item", "name", "text")

    def __init__(self, name: str, text: str, item: Value = None, index: int | None = None) -> None:
        self.name = name
        self.text = text
        self.item = item
        self.index = index
        self._json: Value = self

    def __bool__(self) -> bool:
        return bool(self.text)

    @property
    def json(self) -> Value:
        """The text as a JSON value, or Missing where it is none."""
        if self._json is self:
            try:
                self._json = load_json(self.text)
            except ValueError as error:
                self._json = Missing(f"{self.name}.text is not JSON: {error}")
        return self._json


def plain(value: Value) -> Value:
    """The text of a call's result; any other value as it is."""
    return value.text if isinstance(value, CallResult) else value


def stringify(value: Value) -> str:
    """Text as it is, everything else as compact JSON.

    Raises:
        SkippedError, TemplateError: the value is missing or holds a missing value.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, CallResult):
        return value.text
    if isinstance(value, Missing):
        value.refuse()
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_refuse_missing, allow_nan=False)
    except (RecursionError, ValueError) as error:
        raise TemplateError("the value cannot be written as JSON") from error


def _refuse_missing(value: Value) -> str:
    if isinstance(value, Missing):
        value.refuse()
    return str(plain(value))


def to_json_value(value: Value, depth: int = 0) -> Value:
    """A value without results and missing values: a result as its text, a missing value as null.

    Raises:
        TemplateError: the value is nested more deeply than ``MAX_VALUE_DEPTH``.
    """
    if isinstance(value, list | dict):
        if depth >= MAX_VALUE_DEPTH:
            raise TemplateError(f"the value is nested more than {MAX_VALUE_DEPTH} deep")
        if isinstance(value, list):
            return [to_json_value(element, depth + 1) for element in value]
        return {key: to_json_value(element, depth + 1) for key, element in value.items()}
    return None if isinstance(value, Missing) else plain(value)


def weigh(value: Value, bound: int) -> int:
    """The size of a value in bytes, roughly as JSON; stops counting once it is over ``bound``."""
    total = 0
    stack = [value]
    while stack and total <= bound:
        element = plain(stack.pop())
        total += 8
        if isinstance(element, str):
            total += byte_size(element)
        elif isinstance(element, list):
            total += 8 * len(element)
            if total <= bound:
                stack.extend(element)
        elif isinstance(element, dict):
            total += 8 * len(element)
            if total <= bound:
                stack.extend(element.keys())
                stack.extend(element.values())
    return total


def byte_size(text: str) -> int:
    """Bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def is_unicode(text: str) -> bool:
    """Whether a text has a UTF-8 form, that is, no lone surrogate."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def load_json(text: str) -> Value:
    """Parse JSON that the wire can carry: finite numbers, whole Unicode, at most ``MAX_VALUE_DEPTH`` deep.

    Raises:
        ValueError: the text is no such JSON.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_bounded_int)
    except RecursionError as error:
        raise ValueError(f"nested more than {MAX_VALUE_DEPTH} deep") from error
    problem = json_problem(value)
    if problem:
        raise ValueError(problem)
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:32]} is too large")
    return number


def _bounded_int(text: str) -> int | float:
    number = _finite(text)
    return int(text) if abs(number) <= MAX_EXACT_FLOAT else number


def json_problem(value: Value) -> str:
    """Why a value cannot travel as JSON, or an empty text."""
    level = [value]
    for _ in range(MAX_VALUE_DEPTH + 1):
        deeper: list[Value] = []
        for element in level:
            if isinstance(element, str):
                if not is_unicode(element):
                    return "holds a lone surrogate, which is no Unicode text"
            elif isinstance(element, float):
                if not math.isfinite(element):
                    return f"holds {element}, which is no JSON number"
            elif isinstance(element, list):
                deeper.extend(element)
            elif isinstance(element, dict):
                if not all(isinstance(key, str) for key in element):
                    return "has a key that is no text"
                deeper.extend(element)
                deeper.extend(element.values())
            elif isinstance(element, int):
                if abs(element) > MAX_EXACT_FLOAT:
                    return "holds an integer over 2**53, which JSON readers round; pass it as text"
            elif element is not None:
                return f"holds a {type(element).__name__}, which is no JSON value"
        if not deeper:
            return ""
        level = deeper
    return f"is nested more than {MAX_VALUE_DEPTH} deep"
