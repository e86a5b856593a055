"""Exit codes, and what a command says when it fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

import grpc
import typer
from rich.console import Console
from rich.text import Text

from catenary.client import CatenaryError
from catenary.model.spec import SpecError

_USAGE = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.OUT_OF_RANGE,
    }
)
_UNREACHABLE = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})


class Exit(IntEnum):
    SUCCEEDED = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    INTERRUPTED = 130


class UsageProblem(Exception):
    """The command line cannot be carried out; the text says why."""


@contextmanager
def reporting(json_output: bool) -> Iterator[None]:
    """End the command with the right exit code and a short message where its body fails.

    With ``json_output`` stdout gets one object, ``{"error": {code, message, reason}}``.
    """
    try:
        yield
    except CatenaryError as error:
        _fail(json_output, _exit_code(error), error.code.name, _message(error), error.reason)
    except (SpecError, UsageProblem, ValueError) as error:
        _fail(json_output, Exit.USAGE, "INVALID_ARGUMENT", str(error), "")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(json_output, Exit.USAGE, "INVALID_ARGUMENT", f"{where}{error.strerror or error}", "")
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None


def print_json(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _fail(json_output: bool, code: Exit, status: str, message: str, reason: str) -> None:
    if json_output:
        print_json({"error": {"code": status, "message": message, "reason": reason}})
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(Text.assemble(("error: ", "bold red"), message))
    raise typer.Exit(code)


def _exit_code(error: CatenaryError) -> Exit:
    if error.code in _USAGE:
        return Exit.USAGE
    return Exit.UNREACHABLE if error.code in _UNREACHABLE else Exit.FAILED


def _message(error: CatenaryError) -> str:
    if not error.unreachable:
        return error.message
    where = error.message.partition(": ")[0]
    return f"{where}: start one with `catenary up`"
