"""Profiles as files: taken from a profiler, and given to another one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from catenary.cli.failures import UsageProblem
from catenary.runtime.rpc import channel
from catenary.runtime.wire.profile import ProfileError, load_record_file, record_as_json, record_to_proto
from catenary.v1 import profile_pb2
from catenary.v1 import profiler_service_pb2 as pb
from catenary.v1.profiler_service_pb2_grpc import ProfilerServiceStub

TIMEOUT_S = 10.0


async def export_profile(address: str, model: str, file: Path) -> profile_pb2.Profile:
    """Write the profile in force, with its points.

    Raises:
        UsageProblem: there is only an assumed one, or the file cannot be written.
        grpc.RpcError: the profiler refused.
    """
    async with channel(address) as profiler:
        request = pb.GetProfileRequest(model=model)
        answer = await ProfilerServiceStub(profiler).GetProfile(request, timeout=TIMEOUT_S)
    profile: profile_pb2.Profile = answer.profile
    if profile.origin == "assumed":
        raise UsageProblem(f"{model}: was not measured yet; measure it with `catenary profile {model}`")
    try:
        await asyncio.to_thread(file.write_text, json.dumps(record_as_json(profile), indent=1) + "\n")
    except OSError as error:
        raise UsageProblem(f"{file}: cannot be written: {error.strerror}") from error
    return profile


async def import_profile(address: str, file: Path) -> profile_pb2.Profile:
    """Give the profile in ``file`` to the profiler; returns what it became.

    Raises:
        UsageProblem: the file is no profile.
        grpc.RpcError: the profiler refused it.
    """
    try:
        message = record_to_proto(load_record_file(file))
    except ProfileError as error:
        raise UsageProblem(str(error)) from error
    async with channel(address) as profiler:
        request = pb.ImportProfileRequest(profile=message)
        answer = await ProfilerServiceStub(profiler).ImportProfile(request, timeout=TIMEOUT_S)
    profile: profile_pb2.Profile = answer.profile
    return profile
