"""``catenary models``: what workflows can name, and what serves it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from catenary.cli.failures import print_json
from catenary.cli.options import DEFAULT_ADDRESS, AddressOption, JsonOption
from catenary.cli.session import talk
from catenary.cli.shapes import models_shape
from catenary.client import ModelStatus


def models_command(address: AddressOption = DEFAULT_ADDRESS, json_output: JsonOption = False) -> None:
    """List the models that workflows can name."""
    models = talk(address, json_output, lambda client: client.models())
    if json_output:
        print_json(models_shape(models))
    else:
        Console().print(models_table(models))


def models_table(models: Iterable[ModelStatus]) -> Table:
    table = Table("model", box=SIMPLE_HEAD, pad_edge=False)
    for title in ("replicas", "running", "queued", "context"):
        table.add_column(title, justify="right")
    table.add_column("profile")
    table.add_column("source", overflow="ellipsis", no_wrap=True)
    for model in models:
        replicas = Text(f"{model.replicas_awake}/{model.replicas_total}", style="" if model.replicas_awake else "red")
        table.add_row(
            Text(model.name),
            replicas,
            str(model.num_running),
            str(model.num_queued),
            str(model.max_model_len),
            "measured" if model.profiled else Text("assumed", style="yellow"),
            Text(model.source or "-", style="dim"),
        )
    return table
