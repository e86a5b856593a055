"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from catenary.client import DEFAULT_ADDRESS

__all__ = ["DEFAULT_ADDRESS", "AddressOption", "InputOption", "JsonOption", "addresses_of"]

AddressOption = Annotated[
    str,
    typer.Option("--address", envvar="CATENARY_ADDRESS", help="Gateway as host:port; several are separated by commas."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
InputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        metavar="NAME=VALUE",
        help="An input: NAME=TEXT, NAME=@FILE (its text) or NAME:=JSON. May be repeated.",
    ),
]


def addresses_of(option: str) -> list[str]:
    return [address.strip() for address in option.split(",") if address.strip()]
