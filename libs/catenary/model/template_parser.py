"""From Jinja syntax to the allow-listed expressions. Only Jinja's parser is used, never its renderer."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.parser import Parser

from catenary.model import expression as ast
from catenary.model.filters import FILTERS, Filter
from catenary.model.problem import known_names, shown
from catenary.model.value import MAX_EXACT_FLOAT, TemplateError, is_unicode

MAX_TOKENS = 4096
MAX_NODES = 1024
MAX_DEPTH = 32
MAX_LABEL = 80

_ENVIRONMENT = Environment(keep_trailing_newline=True, autoescape=False)
_LEXER = _ENVIRONMENT.lexer


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that a template uses, and the first attribute taken of it, if any."""

    name: str
    attribute: str | int | None = None


@dataclass(frozen=True, slots=True)
class ParsedTemplate:
    """Literal texts and expressions in order, and what the expressions refer to."""

    parts: tuple[str | ast.Node, ...]
    references: tuple[Reference, ...]
    num_tokens: int


def parse_template(source: str) -> ParsedTemplate:
    """Parse a template.

    Raises:
        TemplateError: the syntax is wrong, not allow-listed, or over a bound.
    """
    if not is_unicode(source):
        raise TemplateError("holds a lone surrogate, which is no Unicode text")
    try:
        num_tokens = sum(1 for _ in islice(_LEXER.tokeniter(source, None), MAX_TOKENS + 1))
        if num_tokens > MAX_TOKENS:
            raise TemplateError(f"has more than {MAX_TOKENS:,} tokens")
        tree = _syntax_tree(source)
    except TemplateSyntaxError as error:
        raise TemplateError(f"template syntax, line {error.lineno}: {str(error.message)[:200]}") from error
    except RecursionError as error:
        raise TemplateError(f"is nested more than {MAX_DEPTH} deep") from error
    except ValueError as error:
        raise TemplateError("template syntax: a number has too many digits") from error
    compiler = _Compiler()
    return ParsedTemplate(tuple(compiler.parts(tree)), tuple(dict.fromkeys(compiler.references)), num_tokens)


def _syntax_tree(source: str) -> nodes.Template:
    if "\\" not in source:
        return Parser(_ENVIRONMENT, source).parse()
    with warnings.catch_warnings():  # Jinja keeps '\d' as it is, but Python's codec warns about it
        warnings.simplefilter("ignore", DeprecationWarning)
        return Parser(_ENVIRONMENT, source).parse()


class _Compiler:
    """Translates one template's syntax tree, counting its nodes."""

    def __init__(self) -> None:
        self.references: list[Reference] = []
        self._num_nodes = 0
        self._translate: dict[type[nodes.Node], Callable[..., ast.Node]] = {
            nodes.Const: self._literal,
            nodes.Name: self._name,
            nodes.Getattr: self._getattr,
            nodes.Getitem: self._getitem,
            nodes.List: self._list,
            nodes.Tuple: self._list,
            nodes.Dict: self._dict,
            nodes.Neg: self._negative,
            nodes.Filter: self._filter,
            nodes.Test: self._test,
            nodes.Compare: self._compare,
            nodes.And: lambda node, depth: ast.And(self._node(node.left, depth), self._node(node.right, depth)),
            nodes.Or: lambda node, depth: ast.Or(self._node(node.left, depth), self._node(node.right, depth)),
            nodes.Not: lambda node, depth: ast.Not(self._node(node.node, depth)),
            nodes.CondExpr: self._choice,
        }

    def parts(self, tree: nodes.Template) -> list[str | ast.Node]:
        parts: list[str | ast.Node] = []
        for statement in tree.body:
            if not isinstance(statement, nodes.Output):
                raise TemplateError(
                    f"{{% {type(statement).__name__.lower()} %}} is not supported (line {statement.lineno}); "
                    "use {{ a if b else c }}, a filter, `when` or `for_each`"
                )
            parts += [
                part.data if isinstance(part, nodes.TemplateData) else self._node(part, 0) for part in statement.nodes
            ]
        return parts

    def _node(self, node: nodes.Node, depth: int) -> ast.Node:
        self._num_nodes += 1
        if self._num_nodes > MAX_NODES:
            raise TemplateError(f"has more than {MAX_NODES:,} operations")
        if depth >= MAX_DEPTH:
            raise TemplateError(f"is nested more than {MAX_DEPTH} deep")
        translate = self._translate.get(type(node))
        if translate is None:
            raise TemplateError(_unsupported(node))
        return translate(node, depth + 1)

    def _literal(self, node: nodes.Const, depth: int) -> ast.Node:
        value = node.value
        if isinstance(value, str) and not is_unicode(value):
            raise TemplateError("a text holds a lone surrogate, which is no Unicode")
        if isinstance(value, float) and not math.isfinite(value):
            raise TemplateError("a number is too large")
        if isinstance(value, int) and abs(value) > MAX_EXACT_FLOAT:
            raise TemplateError("an integer is over 2**53")
        return ast.Literal(value)

    def _name(self, node: nodes.Name, depth: int, attribute: str | int | None = None) -> ast.Node:
        self.references.append(Reference(node.name, attribute))
        if node.name == "item":
            return ast.Item()
        return ast.Index() if node.name == "index" else ast.Name(node.name)

    def _getattr(self, node: nodes.Getattr, depth: int) -> ast.Node:
        return self._part(node.node, node.attr, depth)

    def _getitem(self, node: nodes.Getitem, depth: int) -> ast.Node:
        key = node.arg
        sign = 1
        if isinstance(key, nodes.Neg):
            key, sign = key.node, -1
        if not isinstance(key, nodes.Const) or isinstance(key.value, bool) or not isinstance(key.value, int | str):
            raise TemplateError("a subscript must be a constant text or integer")
        if isinstance(key.value, str) and sign < 0:
            raise TemplateError("'-' is not supported before a text")
        literal = self._literal(key, depth)
        assert isinstance(literal, ast.Literal)
        return self._part(node.node, literal.value if sign > 0 else -literal.value, depth)

    def _part(self, target: nodes.Node, key: str | int, depth: int) -> ast.Node:
        if isinstance(target, nodes.Name):
            self._num_nodes += 1
            inner = self._name(target, depth, key)
        else:
            inner = self._node(target, depth)
        return ast.Part(inner, key, _label(target, key))

    def _list(self, node: nodes.List | nodes.Tuple, depth: int) -> ast.Node:
        return ast.ListLiteral(tuple(self._node(element, depth) for element in node.items))

    def _dict(self, node: nodes.Dict, depth: int) -> ast.Node:
        entries = []
        for pair in node.items:
            if not isinstance(pair.key, nodes.Const) or not isinstance(pair.key.value, str):
                raise TemplateError("a key of a mapping must be a constant text")
            key = self._literal(pair.key, depth)
            assert isinstance(key, ast.Literal)
            entries.append((key.value, self._node(pair.value, depth)))
        return ast.DictLiteral(tuple(entries))

    def _negative(self, node: nodes.Neg, depth: int) -> ast.Node:
        number = node.node
        if not isinstance(number, nodes.Const) or isinstance(number.value, bool | str | None):
            raise TemplateError("'-' is supported before a number only")
        literal = self._literal(number, depth)
        assert isinstance(literal, ast.Literal)
        return ast.Literal(-literal.value)

    def _filter(self, node: nodes.Filter, depth: int) -> ast.Node:
        found = FILTERS.get(node.name)
        if found is None:
            raise TemplateError(f"unknown filter {shown(node.name)}; {known_names(node.name, FILTERS)}")
        if node.node is None or node.dyn_args is not None or node.dyn_kwargs is not None:
            raise TemplateError(f"filter {node.name}: * and ** arguments are not supported")
        given = self._arguments(node, found, depth)
        for parameter in found.parameters[: found.num_required]:
            if parameter not in given:
                raise TemplateError(f"filter {node.name} needs the argument {parameter!r}")
        defaults = (None,) * found.num_required + found.defaults
        arguments = tuple(
            given.get(parameter) or ast.Literal(default)
            for parameter, default in zip(found.parameters, defaults, strict=True)
        )
        return ast.FilterCall(found.apply, self._node(node.node, depth), arguments, found.takes_missing)

    def _arguments(self, node: nodes.Filter, found: Filter, depth: int) -> dict[str, ast.Node]:
        positional = found.parameters[found.num_keyword_only :]
        if len(node.args) > len(positional):
            names = ", ".join(found.parameters) or "none"
            raise TemplateError(
                f"filter {node.name} takes at most {len(positional)} unnamed arguments; its arguments: {names}"
            )
        given = {name: self._node(argument, depth) for name, argument in zip(positional, node.args, strict=False)}
        for keyword in node.kwargs:
            key = str(keyword.key)
            if key not in found.parameters or key in given:
                known = known_names(key, found.parameters)
                raise TemplateError(f"filter {node.name}: unknown or repeated argument {shown(key)}; {known}")
            given[key] = self._node(keyword.value, depth)
        return given

    def _test(self, node: nodes.Test, depth: int) -> ast.Node:
        if node.args or node.kwargs or node.name not in ("defined", "undefined", "none"):
            raise TemplateError(f"test {shown(node.name)} is not supported; known: defined, undefined, none")
        target = self._node(node.node, depth)
        if node.name == "none":
            return ast.IsNone(target)
        return ast.IsDefined(target) if node.name == "defined" else ast.Not(ast.IsDefined(target))

    def _compare(self, node: nodes.Compare, depth: int) -> ast.Node:
        rest = tuple((operand.op, self._node(operand.expr, depth)) for operand in node.ops)
        return ast.Compare(self._node(node.expr, depth), rest)

    def _choice(self, node: nodes.CondExpr, depth: int) -> ast.Node:
        if node.expr2 is None:
            raise TemplateError("'a if b' needs an 'else'")
        return ast.Choice(self._node(node.test, depth), self._node(node.expr1, depth), self._node(node.expr2, depth))


_OPERATORS: dict[type[nodes.Node], str] = {
    nodes.Add: "'+'",
    nodes.Sub: "'-' between values",
    nodes.Mul: "'*'",
    nodes.Div: "'/'",
    nodes.FloorDiv: "'//'",
    nodes.Mod: "'%'",
    nodes.Pow: "'**'",
    nodes.Pos: "'+'",
    nodes.Concat: "'~'",
    nodes.Call: "calling a function",
    nodes.Slice: "a slice",
}


def _unsupported(node: nodes.Node) -> str:
    what = _OPERATORS.get(type(node), type(node).__name__)
    supported = "names, attributes, filters, comparisons, and/or/not, if-else"
    return f"{what} is not supported (line {node.lineno}); use {supported}"


def _label(target: nodes.Node, key: str | int) -> str:
    """``critique.json.score``, shortened from the front."""
    label = f".{key}" if isinstance(key, str) else f"[{key}]"
    while isinstance(target, nodes.Getattr | nodes.Getitem) and len(label) < MAX_LABEL:
        part = target.attr if isinstance(target, nodes.Getattr) else getattr(target.arg, "value", "...")
        label = (f"[{part}]" if isinstance(part, int) else f".{part}") + label
        target = target.node
    return (target.name if isinstance(target, nodes.Name) else "(...)") + label[:MAX_LABEL]
