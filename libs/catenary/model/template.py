"""Templates and conditions: Jinja syntax, evaluated here over an allow-listed set of operations, with bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from catenary.model.expression import Budget, Node, Scope
from catenary.model.problem import type_name
from catenary.model.template_parser import Reference, parse_template
from catenary.model.value import (
    CallResult,
    Missing,
    SkippedError,
    TemplateError,
    TooLongError,
    Value,
    byte_size,
    plain,
    stringify,
)

__all__ = [
    "Budget",
    "CallResult",
    "Missing",
    "Reference",
    "Scope",
    "SkippedError",
    "Template",
    "TemplateError",
    "TooLongError",
    "compile_template",
]

MAX_CACHED = 512
MAX_CACHED_CHARACTERS = 1024


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template.

    ``parts`` are literal texts and expressions in order, ``references`` the names used, ``literal_bytes`` the size of
    the fixed text in UTF-8, ``single`` the expression of a template that is one ``{{ expression }}`` and nothing else.
    """

    source: str
    parts: tuple[str | Node, ...]
    references: tuple[Reference, ...]
    literal_bytes: int
    num_tokens: int
    single: Node | None = field(default=None)

    @property
    def names(self) -> tuple[str, ...]:
        """The names used, each once, in the order of their first use."""
        return tuple(dict.fromkeys(reference.name for reference in self.references))

    def render(self, scope: Scope, max_bytes: int) -> str:
        """The template's text.

        Raises:
            SkippedError: it needs the result of a skipped call.
            TooLongError: the text is over ``max_bytes``.
            TemplateError: it needs a value that is not there, or an operation does not fit its values.
        """
        texts: list[str] = []
        left = max_bytes
        for part in self.parts:
            text = part if isinstance(part, str) else _text(part.evaluate(scope), scope.budget)
            left -= byte_size(text)
            if left < 0:
                raise TooLongError(f"the rendered text is over {max_bytes:,} bytes")
            texts.append(text)
        return "".join(texts)

    def evaluate(self, scope: Scope) -> Value:
        """The value of a single expression; a call's result counts as its text, and missing values come back as such.

        Raises:
            TemplateError: the template is no single expression, or its evaluation fails.
        """
        if self.single is None:
            raise TemplateError("must be one {{ expression }} and nothing else")
        return plain(self.single.evaluate(scope))

    def decide(self, scope: Scope) -> bool:
        """Whether a condition holds.

        Raises:
            SkippedError: it depends on a skipped call. TemplateError: its evaluation fails.
        """
        value = self.evaluate(scope)
        if isinstance(value, Missing):
            value.refuse()
        return bool(value)

    def evaluate_list(self, scope: Scope) -> list[Value]:
        """The elements of a list.

        Raises:
            SkippedError: it, or one of its elements, depends on a skipped call.
            TemplateError: it is no list, or its evaluation fails.
        """
        value = self.evaluate(scope)
        if isinstance(value, Missing):
            value.refuse()
        if not isinstance(value, list):
            raise TemplateError(f"must be a list, is a {type_name(value)}")
        for element in value:
            if isinstance(element, Missing):
                element.refuse()
        return value


def _text(value: Value, budget: Budget) -> str:
    if not isinstance(value, str):
        budget.weigh(value)
    text = stringify(value)
    budget.spend(len(text) // 64 + 1)
    return text


def compile_template(source: str, max_bytes: int) -> Template:
    """Compile a template's source of at most ``max_bytes``.

    Raises:
        TemplateError: the source is over a bound, is no Jinja, or uses what is not allow-listed.
    """
    if len(source) > max_bytes or byte_size(source) > max_bytes:
        raise TemplateError(f"is over {max_bytes:,} bytes (max_template_bytes)")
    return _compile_small(source) if len(source) <= MAX_CACHED_CHARACTERS else _compile(source)


def _compile(source: str) -> Template:
    parsed = parse_template(source)
    literals = [part for part in parsed.parts if isinstance(part, str)]
    expressions = [part for part in parsed.parts if not isinstance(part, str)]
    is_single = len(expressions) == 1 and not any(text.strip() for text in literals)
    return Template(
        source=source,
        parts=parsed.parts,
        references=parsed.references,
        literal_bytes=sum(map(byte_size, literals)),
        num_tokens=parsed.num_tokens,
        single=expressions[0] if is_single else None,
    )


_compile_small = lru_cache(maxsize=MAX_CACHED)(_compile)
