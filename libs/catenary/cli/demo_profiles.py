"""Profiles for the demonstration: measured where none is kept."""

from __future__ import annotations

import asyncio

import grpc
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from catenary.client import CatenaryError
from catenary.runtime.cluster import Cluster
from catenary.runtime.rpc import channel, error_info
from catenary.v1 import profile_pb2
from catenary.v1 import profiler_service_pb2 as pb
from catenary.v1.profiler_service_pb2_grpc import ProfilerServiceStub

LIST_TIMEOUT_S = 30.0
PROMPT_TOKENS = 256


def bars(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)


async def profile_models(cluster: Cluster, console: Console) -> None:
    """Measure, side by side, each model without a profile of its own. Raises CatenaryError."""
    async with channel(cluster.addresses.profiler) as connection:
        stub = ProfilerServiceStub(connection)
        try:
            await _profile_missing(stub, cluster, console)
        except grpc.RpcError as error:
            raise CatenaryError(*error_info(error)) from error


async def _profile_missing(stub: ProfilerServiceStub, cluster: Cluster, console: Console) -> None:
    known = await stub.ListProfiles(pb.ListProfilesRequest(), timeout=LIST_TIMEOUT_S)
    measured = {profile.model: profile for profile in known.profiles if profile.origin == "measured"}
    for profile in measured.values():
        console.print(f"profile {_described(profile)}; measured before")
    missing = [model for model in cluster.config.models if model not in measured]
    if not missing:
        return
    with bars(console) as progress:
        await asyncio.gather(*(_profile(stub, model, progress) for model in missing))


async def _profile(stub: ProfilerServiceStub, model: str, progress: Progress) -> None:
    task = progress.add_task(f"profile {model}", total=None)
    async for update in stub.RunProfile(pb.RunProfileRequest(model=model, quick=True)):
        progress.update(task, completed=update.done, total=update.total or None)
        if update.HasField("profile"):
            progress.print(f"profile {_described(update.profile)}")


def _described(profile: profile_pb2.Profile) -> str:
    prefill_s = profile.prefill_base_s + profile.prefill_token_s * PROMPT_TOKENS
    step_s = profile.step_base_s + profile.step_seq_s
    return (
        f"{profile.model}: {PROMPT_TOKENS} prompt tokens in {prefill_s * 1e3:.0f} ms, a token alone in "
        f"{step_s * 1e3:.1f} ms, median error {profile.residual_median:.0%}"
    )
