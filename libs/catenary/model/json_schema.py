"""Checks of the JSON schemas that calls ask their output to follow."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from catenary.model.value import load_json

MAX_SUBSCHEMAS = 256


@lru_cache(maxsize=256)
def schema_problem(text: str) -> str:
    """Why a text is no JSON schema, or an empty text. A schema names its draft in ``$schema``; default 2020-12."""
    try:
        schema = load_json(text)
    except ValueError as error:
        return f"is no JSON: {str(error)[:200]}"
    if not isinstance(schema, dict):
        return "must be a JSON object"
    if _count_mappings(schema) > MAX_SUBSCHEMAS:
        return f"has more than {MAX_SUBSCHEMAS} nested mappings; use a smaller schema"
    return _draft_problem(schema)


def _draft_problem(schema: dict[str, Any]) -> str:
    # Imported here: it takes 0.2 s, and few workflows have a schema.
    from jsonschema import SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for

    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        path = ".".join(str(key) for key in error.absolute_path)
        return f"is no JSON schema{f' at {path[:100]}' if path else ''}: {error.message[:200]}"
    return ""


def _count_mappings(schema: dict[str, Any]) -> int:
    count = 0
    stack: list[Any] = [schema]
    while stack:
        element = stack.pop()
        if isinstance(element, dict):
            count += 1
            stack.extend(element.values())
        elif isinstance(element, list):
            stack.extend(element)
    return count
