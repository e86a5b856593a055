"""Calls of the `catenary` command, in this process."""

from __future__ import annotations

import json
from typing import Any

from fake_gateway import FakeGateway
from typer.testing import CliRunner, Result

from catenary.cli.main import app


def call(gateway: FakeGateway | str, *arguments: str) -> Result:
    address = gateway if isinstance(gateway, str) else gateway.address
    return CliRunner().invoke(app, arguments, env={"CATENARY_ADDRESS": address, "COLUMNS": "100"})


def answer(result: Result) -> dict[str, Any]:
    """All of stdout is one JSON object."""
    value = json.loads(result.stdout)
    assert isinstance(value, dict)
    return value
