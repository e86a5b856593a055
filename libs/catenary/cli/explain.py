"""``catenary explain``: the predicted duration of a workflow, and how its objective splits over its calls."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from catenary.cli.failures import print_json
from catenary.cli.inputs import parse_inputs
from catenary.cli.options import DEFAULT_ADDRESS, AddressOption, InputOption, JsonOption
from catenary.cli.palette import seconds, signed
from catenary.cli.session import talk
from catenary.cli.shapes import explanation_shape
from catenary.client import Client, Explanation

WorkflowArgument = Annotated[str, typer.Argument(metavar="FILE", help="A workflow's YAML file, or a registered name.")]


def explain_command(
    workflow: WorkflowArgument,
    inputs: InputOption = None,
    json_output: JsonOption = False,
    address: AddressOption = DEFAULT_ADDRESS,
) -> None:
    """Predict how long a workflow takes on idle engines; inputs make the prediction sharper."""

    async def work(client: Client) -> Explanation:
        return await client.explain(workflow, parse_inputs(inputs or ()))

    explanation = talk(address, json_output, work)
    if json_output:
        print_json(explanation_shape(explanation))
        return
    console = Console(highlight=False)
    console.print(_calls(explanation))
    console.print(_summary(explanation))


def _calls(explanation: Explanation) -> Table:
    """Latest start and finish count from the submission."""
    table = Table("call", "model", box=SIMPLE_HEAD, pad_edge=False)
    for title in ("tokens\nin", "\nout", "predicted\ns", "share\ns"):
        table.add_column(title, justify="right")
    with_deadline = explanation.deadline_s > 0
    if with_deadline:
        for title in ("start\nbefore", "finish\nbefore", "slack\ns"):
            table.add_column(title, justify="right")
    for call in explanation.calls:
        tokens = (str(call.prompt_tokens), str(call.output_tokens))
        times = [seconds(call.predicted_s), seconds(call.share_s) if with_deadline else "-"]
        if with_deadline:
            times += [seconds(call.latest_start_s), seconds(call.latest_finish_s), signed(call.slack_s)]
        table.add_row(Text(call.name), Text(call.model), *tokens, *times)
    return table


def _summary(explanation: Explanation) -> Text:
    text = Text.assemble(
        "predicted ",
        (f"{seconds(explanation.predicted_s)} s", "bold"),
        f" in half of all runs, {seconds(explanation.predicted_q90_s)} s in nine of ten",
    )
    if explanation.deadline_s:
        text.append(f"; deadline {seconds(explanation.deadline_s)} s")
    return text.append(f"\n{explanation.basis}", style="dim")
