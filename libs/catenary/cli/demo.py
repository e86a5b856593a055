"""The demonstration: a workflow with a deadline on engines that are started, measured and stopped for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.live import Live

from catenary.cli.demo_profiles import bars, profile_models
from catenary.cli.follow import follow
from catenary.cli.palette import seconds
from catenary.cli.up_view import UpView
from catenary.client import Client, Explanation, Run, RunEventBody, RunOptions
from catenary.runtime.cluster import Cluster, ClusterError
from catenary.runtime.config import Config, EngineKind
from catenary.runtime.models import resolve_source
from catenary.runtime.tasks import cancel

READY_TIMEOUT_S = 600.0
PREDICTION_TIMEOUT_S = 30.0
_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Demo:
    """What is shown. ``slack_factor``: the deadline is this many times the prediction."""

    workflow: Path
    inputs: Mapping[str, Any]
    slack_factor: float = 2.0


async def run_demo(
    demo: Demo, cluster: Cluster, view: UpView, console: Console, on_event: Callable[[RunEventBody], None]
) -> Run:
    """Everything from the model's weights to the end of the run; what ``cluster`` starts is stopped in any case.

    ``view`` is what the cluster reports its services to.

    Raises:
        ClusterError: the cluster did not start, or a process survived its end.
        ModelSourceError: the model cannot be converted.
        CatenaryError: a service refused.
    """
    await convert_models(cluster.config, console)
    try:
        await _start(cluster, view, console)
        await profile_models(cluster, console)
        async with Client(cluster.addresses.gateways) as client:
            explanation = await _prediction(client, demo)
            deadline_s = demo.slack_factor * explanation.predicted_s
            console.print(
                f"{demo.workflow.name}: predicted {seconds(explanation.predicted_s)} s, "
                f"deadline {demo.slack_factor:g} times that: {seconds(deadline_s)} s"
            )
            options = RunOptions(deadline_s=deadline_s, tokens=True)
            async with await client.submit(demo.workflow, demo.inputs, **options) as handle:
                return await follow(handle, console, on_event)
    finally:
        console.print("[dim]stopping everything that was started[/]")
        await cluster.stop()
        _assert_nothing_survives(cluster)


async def convert_models(config: Config, console: Console) -> None:
    """Bring the weights of every vLLM model into the cache folder."""
    sources = {model.source for model in config.models.values() if model.engine is EngineKind.VLLM}
    with bars(console) as progress:
        for source in sorted(sources):
            task = progress.add_task("model", total=1.0)

            def show(what: str, share: float, task: Any = task) -> None:
                progress.update(task, description=f"model: {what}", completed=share)

            async with _children_end_with_it():
                await asyncio.to_thread(resolve_source, source, config.cache_dir, show)
            progress.update(task, completed=1.0, description="model: ready")


@contextlib.asynccontextmanager
async def _children_end_with_it() -> AsyncIterator[None]:
    """A thread cannot be cancelled, but what it waits for can be ended."""
    try:
        yield
    except asyncio.CancelledError:
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.terminate()
        raise


async def _start(cluster: Cluster, view: UpView, console: Console) -> None:
    """Show the services and the engines until all are ready."""
    with Live(view, console=console, refresh_per_second=8) if console.is_terminal else contextlib.nullcontext():
        await cluster.start()
        showing = asyncio.create_task(_show(cluster, view, console))
        try:
            await cluster.wait_ready(READY_TIMEOUT_S, fail_fast=True)
            await asyncio.sleep(2 * _POLL_S)
        finally:
            await cancel(showing)


async def _show(cluster: Cluster, view: UpView, console: Console) -> None:
    while True:
        plan = await cluster.plan()
        if plan is not None:
            view.plan(plan)
        if not console.is_terminal:
            for line in view.news():
                console.print(line, markup=False, soft_wrap=True)
        await asyncio.sleep(_POLL_S)


async def _prediction(client: Client, demo: Demo) -> Explanation:
    """The profiles' own prediction, once the gateway knows the profiles, and that no replica is set aside any more."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + PREDICTION_TIMEOUT_S
    while loop.time() < give_up_at:
        models = await client.models()
        if all(model.profiled and model.replicas_awake for model in models):
            break
        await asyncio.sleep(_POLL_S)
    return await client.explain(demo.workflow, demo.inputs)


def _assert_nothing_survives(cluster: Cluster) -> None:
    left = [*cluster.scope.processes(), *psutil.Process().children(recursive=True)]
    if left:
        raise ClusterError(f"processes survived: {', '.join(str(process.pid) for process in left)}")
