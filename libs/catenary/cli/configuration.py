"""What commands that ask services beside the gateways take from the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from catenary.cli.failures import UsageProblem
from catenary.runtime.config import CONFIG_VARIABLE, Config, ConfigError, load_config

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", envvar=CONFIG_VARIABLE, help="Names the addresses of the other services."),
]


def configured(path: Path | None) -> Config:
    """The file's configuration, or the defaults.

    Raises:
        UsageProblem: it cannot be read, or a value is wrong.
    """
    try:
        return load_config(path)
    except ConfigError as error:
        raise UsageProblem(str(error)) from error
