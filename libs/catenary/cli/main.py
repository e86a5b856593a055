"""The ``catenary`` command."""

from __future__ import annotations

import typer

from catenary.cli.lazy import LazyCommands

app = typer.Typer(
    name="catenary",
    cls=LazyCommands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def catenary() -> None:
    """SLA-aware serving runtime for LLM workflows."""


if __name__ == "__main__":
    app()
