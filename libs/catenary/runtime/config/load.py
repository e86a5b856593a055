"""Reading the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from catenary.runtime.config.root import Config

CONFIG_VARIABLE = "CATENARY_CONFIG"


class ConfigError(Exception):
    """The configuration cannot be used. The text has one line per wrong value: its name, the value and the bound."""


def load_config(path: Path | None) -> Config:
    """Read ``path`` (None: defaults and environment only).

    Raises:
        ConfigError: the file is missing, is no YAML mapping, or holds a wrong value.
    """
    values: Any = {}
    if path is not None:
        try:
            values = yaml.safe_load(path.read_text()) or {}
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: is no YAML: {error}") from error
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: must be a mapping, is a {type(values).__name__}")
    try:
        return Config(**values)
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in e['loc']) or 'config'}: {e['msg'].removeprefix('Value error, ')} "
            f"(value: {_shown(e['input'])})"
            for e in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
