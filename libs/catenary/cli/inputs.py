"""``--input`` arguments to the values of a workflow's inputs, and options that are durations to seconds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from catenary.cli.failures import UsageProblem
from catenary.model.duration import parse_duration


def parse_inputs(arguments: Iterable[str]) -> dict[str, Any]:
    """``name=text``, ``name=@file`` (the file's text), ``name=@@text`` (text that starts with @), ``name:=json``.

    Raises:
        UsageProblem: an argument has none of these forms, appears twice, or its file or JSON cannot be read.
    """
    values: dict[str, Any] = {}
    for argument in arguments:
        name, equals, raw = argument.partition("=")
        is_json = name.endswith(":")
        name = name.removesuffix(":")
        if not equals or not name:
            raise UsageProblem(f"--input {argument!r}: write NAME=TEXT, NAME=@FILE or NAME:=JSON")
        if name in values:
            raise UsageProblem(f"--input {name}: given twice")
        values[name] = _json(name, raw) if is_json else _text(name, raw)
    return values


def option_s(option: str, text: str) -> float:
    """The seconds that ``text`` names.

    Raises:
        UsageProblem: it is no duration.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageProblem(f"{option}: {error}") from error


def _json(name: str, raw: str) -> Any:
    try:
        return json.loads(raw)
    except ValueError as error:
        raise UsageProblem(f"--input {name}: is no JSON: {error}") from error


def _text(name: str, raw: str) -> str:
    if raw.startswith("@@") or not raw.startswith("@"):
        return raw.removeprefix("@") if raw.startswith("@@") else raw
    path = Path(raw[1:])
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageProblem(f"--input {name}: {path} is no UTF-8 text") from error
    except OSError as error:
        raise UsageProblem(f"--input {name}: {path}: {error.strerror}") from error
