"""What is wrong with a specification: every problem at once, each with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

MAX_PROBLEMS = 50
MAX_SHOWN = 64
MAX_LISTED = 24


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. ``place`` is a path such as ``calls.rewrite.when``."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class SpecError(Exception):
    """A workflow or its inputs cannot be used. The text has one line per problem, at most ``MAX_PROBLEMS`` of them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        found = tuple(problems)
        self.problems: tuple[Problem, ...] = found[:MAX_PROBLEMS]
        self.num_problems = len(found)
        super().__init__(self.problems)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems]
        if self.num_problems > len(lines):
            lines.append(f"and {self.num_problems - len(lines)} more problems")
        return "\n".join(lines)


class Problems:
    """Collects problems; only the first one at a place is kept, since others often follow from it."""

    __slots__ = ("_found",)

    def __init__(self, found: Iterable[Problem] = ()) -> None:
        self._found: dict[str, Problem] = {problem.place: problem for problem in found}

    def add(self, place: str, message: str) -> None:
        self._found.setdefault(place, Problem(place, message))

    def add_below(self, problems: Iterable[Problem]) -> None:
        """Add those whose place is neither a known one nor inside a known one."""
        known = frozenset(self._found)
        for problem in problems:
            if not any(place in known for place in _enclosing(problem.place)):
                self._found[problem.place] = problem

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found.values())

    def raise_if_any(self) -> None:
        """Raises: SpecError: something was added."""
        if self._found:
            raise SpecError(self._found.values())


def _enclosing(place: str) -> Iterator[str]:
    """``a``, ``a.b`` and ``a.b[0]`` for ``a.b[0]``."""
    for position, character in enumerate(place):
        if character in ".[":
            yield place[:position]
    yield place


def shown(value: object) -> str:
    """A value for an error message, at most ``MAX_SHOWN`` characters."""
    if isinstance(value, str):
        return repr(value if len(value) <= MAX_SHOWN else value[: MAX_SHOWN - 3] + "...")
    if isinstance(value, bool | None):
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int) and value.bit_length() > 128:
        return "an integer of over 128 bits"
    if isinstance(value, int | float):
        return repr(value)
    return f"a {type_name(value)}"


def type_name(value: object) -> str:
    """The word that messages use for the type of a JSON value."""
    if value is None:
        return "null"
    for kind, name in _TYPE_NAMES:
        if isinstance(value, kind):
            return name
    return type(value).__name__


_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "number"),
    (float, "number"),
    (str, "text"),
    (list, "list"),
    (tuple, "list"),
    (dict, "mapping"),
)


def known_names(name: str, known: Iterable[str]) -> str:
    """``known: a, b; did you mean 'a'?``: the end of a message about an unknown name."""
    names = list(known)
    text = f"known: {', '.join(names[:MAX_LISTED]) or 'none'}"
    if len(names) > MAX_LISTED:
        text += f" and {len(names) - MAX_LISTED} more"
    close = _closest(name, tuple(names)) if len(name) <= MAX_SHOWN else None
    return f"{text}; did you mean {close!r}?" if close else text


@lru_cache(maxsize=256)
def _closest(name: str, known: tuple[str, ...]) -> str | None:
    similar = [other for other in known if abs(len(other) - len(name)) <= 3]
    return next(iter(get_close_matches(name, similar, n=1)), None)
