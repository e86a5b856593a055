"""Subcommands that are imported when they are asked for: the start of one does not pay for the others."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS = {
    "up": "catenary.cli.up:up",
    "run": "catenary.cli.run:run_command",
    "status": "catenary.cli.status:status_command",
    "top": "catenary.cli.top:top_command",
    "explain": "catenary.cli.explain:explain_command",
    "models": "catenary.cli.models:models_command",
    "runs": "catenary.cli.runs:runs_app",
    "profile": "catenary.cli.profile:profile_command",
    "plan": "catenary.cli.plan:plan_command",
    "simulate": "catenary.cli.simulate:simulate_command",
}
"""Where the function or Typer of each subcommand is, as ``module:name``."""


class LazyCommands(TyperGroup):
    """The commands of COMMANDS, in that order."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        found = getattr(import_module(module), name)
        if isinstance(found, typer.Typer):
            command: Any = typer.main.get_group(found)
        else:
            alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            alone.command(cmd_name)(found)
            command = typer.main.get_command(alone)
        command.name = cmd_name
        return command
