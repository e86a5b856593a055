"""``catenary runs``: list, get, cancel and watch runs."""

from __future__ import annotations

import datetime
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from catenary.cli.failures import Exit, print_json
from catenary.cli.follow import follow
from catenary.cli.options import DEFAULT_ADDRESS, AddressOption, JsonOption
from catenary.cli.palette import Palette, seconds
from catenary.cli.report import report
from catenary.cli.session import talk
from catenary.cli.shapes import run_shape, run_summary
from catenary.client import Client, Run, RunPage
from catenary.model.outcome import Outcome

runs_app = typer.Typer(no_args_is_help=True, help="List runs, read one, cancel one or watch one.")

RunArgument = Annotated[str, typer.Argument(metavar="RUN_ID")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Runs on a page.")]
PageOption = Annotated[str, typer.Option("--page", help="Token of the next page, as the page before printed it.")]
WorkflowOption = Annotated[str, typer.Option("--workflow", help="Only runs of this workflow.")]
TenantOption = Annotated[str, typer.Option("--tenant", help="Only runs of this tenant.")]
TokensOption = Annotated[bool, typer.Option("--tokens/--no-tokens", help="Show text while it is generated.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Kept with the run.")]


@runs_app.command("list")
def list_command(
    limit: LimitOption = 20,
    page: PageOption = "",
    workflow: WorkflowOption = "",
    tenant: TenantOption = "",
    json_output: JsonOption = False,
    address: AddressOption = DEFAULT_ADDRESS,
) -> None:
    """List runs, newest first."""

    async def work(client: Client) -> RunPage:
        return await client.list(page_size=limit, page_token=page, workflow=workflow, tenant=tenant)

    found = talk(address, json_output, work)
    if json_output:
        print_json({"runs": [run_summary(run) for run in found.runs], "next_page_token": found.next_page_token})
        return
    console = Console(highlight=False)
    console.print(_table(found))
    if found.next_page_token:
        console.print(Text(f"more: --page {found.next_page_token}", style="dim"), soft_wrap=True)


@runs_app.command("get")
def get_command(run_id: RunArgument, json_output: JsonOption = False, address: AddressOption = DEFAULT_ADDRESS) -> None:
    """Show a run with its calls and its output."""
    _show(talk(address, json_output, lambda client: client.get(run_id)), json_output)


@runs_app.command("cancel")
def cancel_command(
    run_id: RunArgument,
    reason: ReasonOption = "",
    json_output: JsonOption = False,
    address: AddressOption = DEFAULT_ADDRESS,
) -> None:
    """End a run; a run that has ended stays as it is."""
    run = talk(address, json_output, lambda client: client.cancel(run_id, reason))
    if json_output:
        print_json(run_shape(run))
    else:
        Console(highlight=False).print(Text(f"{run.run_id}: {run.outcome or run.state}"), soft_wrap=True)


@runs_app.command("watch")
def watch_command(
    run_id: RunArgument,
    tokens: TokensOption = True,
    json_output: JsonOption = False,
    address: AddressOption = DEFAULT_ADDRESS,
) -> None:
    """Follow a run from its beginning to its end. Exits with 1 where it does not succeed."""

    async def work(client: Client) -> Run:
        console = None if json_output else Console(highlight=False)
        async with await client.watch(run_id, tokens=tokens and not json_output) as handle:
            await follow(handle, console)
        return await client.get(run_id)

    run = talk(address, json_output, work)
    if json_output:
        print_json(run_shape(run))
    if not run.succeeded:
        raise typer.Exit(Exit.FAILED)


def _show(run: Run, json_output: bool) -> None:
    if json_output:
        print_json(run_shape(run))
        return
    console = Console(highlight=False)
    console.print(report(run, Palette()))


def _table(page: RunPage) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("run", overflow="fold", min_width=16)
    table.add_column("workflow", overflow="fold", min_width=12)
    table.add_column("outcome", no_wrap=True)
    for title in ("deadline", "took"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("submitted", no_wrap=True)
    for run in page.runs:
        table.add_row(
            Text(run.run_id),
            Text(run.workflow),
            _outcome(run),
            seconds(run.deadline_s) if run.deadline_s else "-",
            seconds(run.e2e_s),
            _when(run.submit_time),
        )
    return table


def _when(time: datetime.datetime | None) -> str:
    """The time of today, the date of other days."""
    if time is None:
        return "-"
    local = time.astimezone()
    is_today = local.date() == datetime.datetime.now().astimezone().date()
    return f"{local:%H:%M:%S}" if is_today else f"{local:%b %d}"


def _outcome(run: Run) -> Text:
    if run.outcome is None:
        return Text(run.state, style="cyan")
    if run.outcome is not Outcome.SUCCEEDED:
        return Text(run.outcome, style="red")
    return Text("met", style="green") if run.met or not run.deadline_s else Text("MISSED", style="bold red")
