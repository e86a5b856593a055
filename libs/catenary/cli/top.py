"""``catenary top``: the cluster as it is, again and again."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from catenary.cli.configuration import ConfigOption, configured
from catenary.cli.failures import Exit, print_json, reporting
from catenary.cli.objectives import Objective, objectives
from catenary.cli.options import DEFAULT_ADDRESS, AddressOption, JsonOption, addresses_of
from catenary.cli.status import ClusterStatus, cluster_status, status_shape
from catenary.cli.top_view import top_view
from catenary.client import CatenaryError, Client
from catenary.runtime.config import Config

MAX_RUNS = 200

OnceOption = Annotated[bool, typer.Option("--once", help="Print once and end.")]
IntervalOption = Annotated[float, typer.Option("--interval", min=0.2, max=3600.0, help="Seconds between two looks.")]


@dataclass(frozen=True, slots=True)
class Look:
    """What the services said at one moment. ``objectives`` come from the newest runs, at most MAX_RUNS."""

    status: ClusterStatus
    objectives: list[Objective]


def top_command(
    config: ConfigOption = None,
    once: OnceOption = False,
    json_output: JsonOption = False,
    interval_s: IntervalOption = 1.0,
    address: AddressOption = DEFAULT_ADDRESS,
) -> None:
    """Show accelerators, pools, queues by slack, objectives and the provisioner's decisions until Ctrl-C."""
    with reporting(json_output):
        settings = configured(config)
    console = Console(highlight=False)
    live = console.is_terminal and not (once or json_output)
    work = _follow(settings, address, console, interval_s) if live else _look(settings, addresses_of(address))
    try:
        look = asyncio.run(work)
    except KeyboardInterrupt:
        return
    if json_output:
        print_json(_shape(look))
    elif not live:
        console.print(top_view(look))
    if not look.status.gateway_answers:
        raise typer.Exit(Exit.UNREACHABLE)


async def _follow(config: Config, address: str, console: Console, interval_s: float) -> Look:
    """Ends with Ctrl-C."""
    gateways = addresses_of(address)
    with Live(console=console, screen=True, auto_refresh=False) as screen:
        while True:
            screen.update(top_view(await _look(config, gateways)), refresh=True)
            await asyncio.sleep(interval_s)


async def _look(config: Config, gateways: list[str]) -> Look:
    status, runs = await asyncio.gather(cluster_status(config, gateways), _newest_runs(gateways))
    return Look(status, objectives(runs))


async def _newest_runs(gateways: list[str]) -> Any:
    try:
        async with Client(gateways, timeout_s=3.0) as client:
            return (await client.list(page_size=MAX_RUNS)).runs
    except CatenaryError:
        return ()


def _shape(look: Look) -> dict[str, Any]:
    plan = look.status.plan
    return {
        **status_shape(look.status),
        "objectives": [
            {**asdict(o), "attainment": o.attainment, "budget_left": o.budget_left} for o in look.objectives
        ],
        "decisions": list(plan.reasons) if plan is not None else [],
    }
