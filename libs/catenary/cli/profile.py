"""``catenary profile``: measure a model, or show what is known."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from catenary.cli.configuration import ConfigOption, configured
from catenary.cli.failures import UsageProblem, print_json, reporting
from catenary.cli.options import JsonOption
from catenary.cli.profile_files import export_profile, import_profile
from catenary.cli.profile_view import coefficients_table, grid_table, profiles_table
from catenary.client import CatenaryError
from catenary.runtime.rpc import channel, error_info
from catenary.runtime.wire.profile import record_as_json
from catenary.v1 import profile_pb2
from catenary.v1 import profiler_service_pb2 as pb
from catenary.v1.profiler_service_pb2_grpc import ProfilerServiceStub

LIST_TIMEOUT_S = 10.0

ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="Name of a configured model.")]
QuickOption = Annotated[bool, typer.Option("--quick", help="A small grid, at most about a minute.")]
ListOption = Annotated[bool, typer.Option("--list", help="Show the profiles in force and measure nothing.")]
ExportOption = Annotated[
    Path | None, typer.Option("--export", metavar="FILE", help="Write the model's profile to FILE and measure nothing.")
]
ImportOption = Annotated[
    Path | None, typer.Option("--import", metavar="FILE", help="Take in a profile that was exported elsewhere.")
]
ProfilerOption = Annotated[
    str,
    typer.Option(
        "--profiler", envvar="CATENARY_PROFILER_ADDRESS", help="Profiler as host:port; otherwise as configured."
    ),
]


def profile_command(
    model: ModelArgument = "",
    quick: QuickOption = False,
    list_profiles: ListOption = False,
    export_to: ExportOption = None,
    import_from: ImportOption = None,
    json_output: JsonOption = False,
    config: ConfigOption = None,
    profiler: ProfilerOption = "",
) -> None:
    """Measure how fast a model runs on a replica set aside, or list, export and import what is known."""
    with reporting(json_output):
        profiler = profiler or configured(config).profiler.address
        if import_from is not None:
            _show_moved("imported", asyncio.run(_asked(profiler, import_profile(profiler, import_from))), json_output)
            return
        if list_profiles:
            _show_list(asyncio.run(_list(profiler)), model, json_output)
            return
        if not model:
            raise UsageProblem("MODEL is missing; name a configured model, or use --list")
        if export_to is not None:
            moved = asyncio.run(_asked(profiler, export_profile(profiler, model, export_to)))
            _show_moved("exported", moved, json_output)
            return
        _show(asyncio.run(_measure(profiler, model, quick, json_output)), json_output)


async def _measure(address: str, model: str, quick: bool, silent: bool) -> profile_pb2.Profile:
    columns = (
        TextColumn("[bold]{task.fields[model]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=silent) as progress:
        task = progress.add_task("asking for a replica", total=None, model=model)
        try:
            async with channel(address) as profiler:
                request = pb.RunProfileRequest(model=model, quick=quick)
                async for update in ProfilerServiceStub(profiler).RunProfile(request):
                    progress.update(
                        task, completed=update.done, total=update.total or None, description=update.step, refresh=True
                    )
                    if update.HasField("profile"):
                        profile: profile_pb2.Profile = update.profile
                        return profile
        except grpc.RpcError as error:
            raise _refused(error, address) from error
    raise CatenaryError(grpc.StatusCode.INTERNAL, f"{model}: the profiler ended without a profile", "PROFILER")


async def _list(address: str) -> list[profile_pb2.Profile]:
    try:
        async with channel(address) as profiler:
            answer = await ProfilerServiceStub(profiler).ListProfiles(pb.ListProfilesRequest(), timeout=LIST_TIMEOUT_S)
    except grpc.RpcError as error:
        raise _refused(error, address) from error
    return list(answer.profiles)


async def _asked(address: str, work: Coroutine[Any, Any, profile_pb2.Profile]) -> profile_pb2.Profile:
    try:
        return await work
    except grpc.RpcError as error:
        raise _refused(error, address) from error


def _refused(error: grpc.RpcError, address: str) -> CatenaryError:
    refusal = CatenaryError(*error_info(error))
    if refusal.unreachable:
        refusal.message = f"no profiler at {address}: {refusal.message}"
    return refusal


def _show(profile: profile_pb2.Profile, json_output: bool) -> None:
    if json_output:
        print_json(record_as_json(profile))
        return
    console = Console()
    console.print(grid_table(profile))
    console.print(coefficients_table(profile))


def _show_list(profiles: list[profile_pb2.Profile], model: str, json_output: bool) -> None:
    shown = [profile for profile in profiles if model in ("", profile.model)]
    if json_output:
        print_json({"profiles": [record_as_json(profile) for profile in shown]})
        return
    Console().print(profiles_table(shown, time.time()))


def _show_moved(done: str, profile: profile_pb2.Profile, json_output: bool) -> None:
    if json_output:
        print_json(record_as_json(profile))
        return
    Console(highlight=False).print(
        f"{done} {profile.model} on {profile.accelerator}, {profile.engine}: version {profile.version}", markup=False
    )
