"""The ``catenary`` command."""

from __future__ import annotations

import typer

from catenary.cli.explain import explain_command
from catenary.cli.models import models_command
from catenary.cli.profile import profile_command
from catenary.cli.run import run_command
from catenary.cli.runs import runs_app
from catenary.cli.simulate import simulate_command
from catenary.cli.status import status_command
from catenary.cli.up import up

app = typer.Typer(
    name="catenary",
    help="SLA-aware serving runtime for LLM workflows.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(up)
app.command("run")(run_command)
app.command("status")(status_command)
app.command("explain")(explain_command)
app.command("models")(models_command)
app.add_typer(runs_app, name="runs")
app.command("profile")(profile_command)
app.command("simulate")(simulate_command)


if __name__ == "__main__":
    app()
