"""`catenary up`: all services of a configuration on this machine until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from catenary.cli.failures import Exit
from catenary.cli.up_view import UpView
from catenary.runtime.cluster import Cluster, ClusterError
from catenary.runtime.config import CONFIG_VARIABLE, ENV_PREFIX, ConfigError
from catenary.runtime.kept_service import ServiceChanged
from catenary.runtime.tasks import cancel, run_until
from catenary.v1.provisioner_service_pb2 import Plan

UpEvent = ServiceChanged | Plan
_PLAN_INTERVAL_S = 0.25

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", envvar=CONFIG_VARIABLE, help="YAML file that drives every service."),
]
ClusterOption = Annotated[
    str, typer.Option("--cluster", metavar="KIND", help="Who starts the workers: local, static or ray.")
]
RayOption = Annotated[str, typer.Option("--address", help="With --cluster ray: its head as host:port, or auto.")]


def up(config: ConfigOption = None, cluster: ClusterOption = "", address: RayOption = "") -> None:
    """Start all services on this machine and stay until Ctrl-C."""
    console = Console(stderr=True, highlight=False)
    for name, value in (("CLUSTER", cluster), ("RAY_ADDRESS", address)):
        if value:
            os.environ[f"{ENV_PREFIX}PROVISIONER__{name}"] = value
    try:
        if config is None:
            raise ConfigError(f"no configuration: give --config FILE or set {CONFIG_VARIABLE}")
        asyncio.run(_show(config, console))
    except (ConfigError, ClusterError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(Exit.USAGE if isinstance(error, ConfigError) else Exit.FAILED) from None


async def run_up(config_path: Path, on_event: Callable[[UpEvent], None]) -> None:
    """Run a cluster until SIGINT or SIGTERM, then stop it; a second signal kills what is left at once.

    ``on_event`` gets each change of a service, and the plan four times a second.

    Raises:
        ConfigError: the configuration cannot be used.
        ClusterError: the cluster did not start, or a control service was given up.
    """
    cluster = Cluster(config_path, on_event)
    with _signals(cluster) as stopping:
        try:
            await run_until(stopping, _run(cluster, on_event))
        finally:
            await cluster.stop()


async def _run(cluster: Cluster, on_event: Callable[[UpEvent], None]) -> None:
    await cluster.start()
    plans = asyncio.create_task(_follow_plan(cluster, on_event))
    try:
        raise ClusterError(await cluster.failed())
    finally:
        await cancel(plans)


async def _follow_plan(cluster: Cluster, on_event: Callable[[UpEvent], None]) -> None:
    while True:
        plan = await cluster.plan()
        if plan is not None:
            on_event(plan)
        await asyncio.sleep(_PLAN_INTERVAL_S)


@contextlib.contextmanager
def _signals(cluster: Cluster) -> Iterator[asyncio.Event]:
    """An event that the first signal sets."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def on_signal() -> None:
        if stopping.is_set():
            cluster.scope.kill()
        stopping.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, on_signal)
    try:
        yield stopping
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _show(config_path: Path, console: Console) -> None:
    view = UpView()
    with Live(view, console=console, refresh_per_second=8) if console.is_terminal else contextlib.nullcontext():

        def on_event(event: UpEvent) -> None:
            if isinstance(event, ServiceChanged):
                view.service(event)
            else:
                view.plan(event)
            if not console.is_terminal:
                for line in view.news():
                    console.print(line, markup=False)

        await run_up(config_path, on_event)
