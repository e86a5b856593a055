"""``catenary run``: start a run, follow it, say whether it met its deadline."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from catenary.cli.failures import Exit, print_json
from catenary.cli.follow import follow
from catenary.cli.inputs import option_s, parse_inputs
from catenary.cli.options import DEFAULT_ADDRESS, AddressOption, InputOption, JsonOption
from catenary.cli.session import talk
from catenary.cli.shapes import run_shape
from catenary.client import Client, Run, RunOptions
from catenary.model.outcome import PriorityClass

WorkflowArgument = Annotated[str, typer.Argument(metavar="FILE", help="A workflow's YAML file, or a registered name.")]
DeadlineOption = Annotated[
    str, typer.Option("--deadline", metavar="TIME", help="8s, 500ms or 2m; default: the workflow's own.")
]
TenantOption = Annotated[str, typer.Option("--tenant", help="Who the run counts for.")]
PriorityOption = Annotated[
    PriorityClass,
    typer.Option("--priority", case_sensitive=False, show_default="standard", help="Where somebody must miss."),
]
TokensOption = Annotated[bool, typer.Option("--tokens/--no-tokens", help="Show text while it is generated.")]
RunIdOption = Annotated[str, typer.Option("--run-id", help="Default: a new one. The same id attaches to the run.")]
DetachOption = Annotated[bool, typer.Option("--detach", help="The run goes on when this command is stopped.")]


def run_command(
    workflow: WorkflowArgument,
    inputs: InputOption = None,
    deadline: DeadlineOption = "",
    tenant: TenantOption = "",
    priority: PriorityOption = PriorityClass.STANDARD,
    tokens: TokensOption = True,
    run_id: RunIdOption = "",
    detach: DetachOption = False,
    json_output: JsonOption = False,
    address: AddressOption = DEFAULT_ADDRESS,
) -> None:
    """Run a workflow and show how its calls spend the time. Exits with 1 where the run does not succeed."""

    async def work(client: Client) -> Run:
        options = RunOptions(
            run_id=run_id,
            tenant=tenant,
            priority=priority,
            tokens=tokens and not json_output,
            detach=detach,
            deadline_s=option_s("--deadline", deadline) if deadline else None,
        )
        async with await client.submit(workflow, parse_inputs(inputs or ()), **options) as handle:
            return await follow(handle, None if json_output else Console(highlight=False))

    run = talk(address, json_output, work)
    if json_output:
        print_json(run_shape(run))
    if not run.succeeded:
        raise typer.Exit(Exit.FAILED)
