"""The filters that templates may use. Each charges its work, and so its output, to the budget."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass

from catenary.model.expression import Budget, get_part
from catenary.model.problem import type_name
from catenary.model.value import Missing, TemplateError, Value, plain, stringify

MAX_NUMBER_CHARACTERS = 64
ELEMENT_WORK = 32


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter and its ``parameters`` after the value.

    The first ``num_required`` of them must be given, and the first ``num_keyword_only`` by name.
    """

    apply: Callable[..., Value]
    parameters: tuple[str, ...] = ()
    num_required: int = 0
    defaults: tuple[Value, ...] = ()
    takes_missing: bool = False
    num_keyword_only: int = 0


def _text(value: Value, name: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        raise TemplateError(f"{name} needs a text, not a {type_name(value)}")
    return stringify(value)


def _list(budget: Budget, value: Value, name: str) -> list[Value]:
    if not isinstance(value, list):
        raise TemplateError(f"{name} needs a list, not a {type_name(value)}")
    budget.spend(ELEMENT_WORK * len(value))
    return value


def _count(value: Value, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value < 0:
        raise TemplateError(f"{name} must be a whole number of at least 0")
    return int(value)


def _join(budget: Budget, value: Value, separator: Value) -> Value:
    glue = _text(separator, "join's separator")
    elements = _list(budget, value, "join")
    size = len(glue) * max(0, len(elements) - 1)
    budget.spend(size)
    for element in elements:
        budget.weigh(element)
    return glue.join(map(stringify, elements))


def _length(budget: Budget, value: Value) -> Value:
    if isinstance(value, str | list | dict):
        return len(value)
    raise TemplateError(f"length needs a text, a list or a mapping, not a {type_name(value)}")


def _lower(budget: Budget, value: Value) -> Value:
    text = _text(value, "lower")
    budget.spend(len(text))
    return text.lower()


def _upper(budget: Budget, value: Value) -> Value:
    text = _text(value, "upper")
    budget.spend(len(text))
    return text.upper()


def _trim(budget: Budget, value: Value, characters: Value) -> Value:
    text = _text(value, "trim")
    budget.spend(len(text))
    if characters is None:
        return text.strip()
    allowed = _text(characters, "trim's characters")
    if len(allowed) > MAX_NUMBER_CHARACTERS:
        raise TemplateError(f"trim takes at most {MAX_NUMBER_CHARACTERS} characters to remove")
    return text.strip(allowed)


def _string(budget: Budget, value: Value) -> Value:
    budget.weigh(value)
    return stringify(value)


def _tojson(budget: Budget, value: Value) -> Value:
    budget.weigh(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else stringify(value)


def _truncate(budget: Budget, value: Value, length: Value, killwords: Value, end: Value) -> Value:
    text, tail, bound = _text(value, "truncate"), _text(end, "truncate's end"), _count(length, "truncate's length")
    if len(text) <= bound:
        return text
    if len(tail) > bound:
        raise TemplateError(f"truncate's end has {len(tail)} characters, its length only {bound}")
    budget.spend(bound)
    cut = text[: bound - len(tail)]
    return (cut if killwords else cut.rsplit(" ", 1)[0]) + tail


def _replace(budget: Budget, value: Value, old: Value, new: Value) -> Value:
    text, before, after = _text(value, "replace"), _text(old, "replace's old text"), _text(new, "replace's new text")
    budget.spend(len(text))
    size = len(text) + text.count(before) * (len(after) - len(before))
    budget.spend(max(0, size))
    return text.replace(before, after)


def _first(budget: Budget, value: Value) -> Value:
    return _end(value, 0, "first")


def _last(budget: Budget, value: Value) -> Value:
    return _end(value, -1, "last")


def _end(value: Value, index: int, name: str) -> Value:
    if not isinstance(value, list | str):
        raise TemplateError(f"{name} needs a list or a text, not a {type_name(value)}")
    return value[index] if value else Missing(f"{name} of an empty {type_name(value)}")


def _to_list(budget: Budget, value: Value) -> Value:
    if isinstance(value, dict):
        budget.spend(ELEMENT_WORK * len(value))
        return list(value)
    return list(_list(budget, value, "list"))


def _map(budget: Budget, value: Value, attribute: Value) -> Value:
    path = _path(attribute)
    return [_follow(budget, element, path) for element in _list(budget, value, "map")]


def _path(attribute: Value) -> list[str]:
    if not isinstance(attribute, str) or not 0 < len(attribute) <= MAX_NUMBER_CHARACTERS:
        raise TemplateError(f"attribute must be a name of at most {MAX_NUMBER_CHARACTERS} characters")
    return attribute.split(".")


def _follow(budget: Budget, value: Value, path: list[str]) -> Value:
    budget.spend(ELEMENT_WORK * len(path))
    for key in path:
        value = get_part(value, int(key) if key.isdecimal() else key, key, budget)
    return value


def _default(budget: Budget, value: Value, fallback: Value, falsy_too: Value) -> Value:
    use_fallback = isinstance(value, Missing) or (falsy_too and not value)
    return fallback if use_fallback else value


def _int(budget: Budget, value: Value, default: Value) -> Value:
    number = _number(value)
    return default if number is None else int(number)


def _float(budget: Budget, value: Value, default: Value) -> Value:
    number = _number(value)
    return default if number is None else float(number)


def _number(value: Value) -> int | float | None:
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str) or len(value) > MAX_NUMBER_CHARACTERS:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _unique(budget: Budget, value: Value) -> Value:
    seen: set[str] = set()
    kept: list[Value] = []
    for element in _list(budget, value, "unique"):
        budget.weigh(element)
        key = json.dumps(plain(element), sort_keys=True, default=stringify)
        if key not in seen:
            seen.add(key)
            kept.append(element)
    return kept


def _sort(budget: Budget, value: Value, reverse: Value, attribute: Value) -> Value:
    path = _path(attribute) if attribute is not None else []
    elements = _list(budget, value, "sort")
    keyed = [(plain(_follow(budget, element, path)), element) for element in elements]
    for key, _ in keyed:
        if isinstance(key, Missing):
            key.refuse()
        budget.spend(2 * budget.weigh(key))
    is_text = [isinstance(key, str) for key, _ in keyed]
    is_number = [isinstance(key, int | float) and not isinstance(key, bool) for key, _ in keyed]
    if not all(is_text) and not all(is_number):
        raise TemplateError("sort needs texts only or numbers only")
    return [element for _, element in sorted(keyed, key=lambda pair: pair[0], reverse=bool(reverse))]


FILTERS: dict[str, Filter] = {
    "count": Filter(_length),
    "d": Filter(_default, ("default_value", "boolean"), 0, ("", False), takes_missing=True),
    "default": Filter(_default, ("default_value", "boolean"), 0, ("", False), takes_missing=True),
    "first": Filter(_first),
    "float": Filter(_float, ("default",), 0, (0.0,)),
    "int": Filter(_int, ("default",), 0, (0,)),
    "join": Filter(_join, ("d",), 0, ("",)),
    "last": Filter(_last),
    "length": Filter(_length),
    "list": Filter(_to_list),
    "lower": Filter(_lower),
    "map": Filter(_map, ("attribute",), 1, num_keyword_only=1),
    "replace": Filter(_replace, ("old", "new"), 2),
    "sort": Filter(_sort, ("reverse", "attribute"), 0, (False, None)),
    "string": Filter(_string),
    "tojson": Filter(_tojson),
    "trim": Filter(_trim, ("chars",), 0, (None,)),
    "truncate": Filter(_truncate, ("length", "killwords", "end"), 0, (255, False, "...")),
    "unique": Filter(_unique),
    "upper": Filter(_upper),
}
"""By name; Jinja's own filters of these names, with fewer options."""
