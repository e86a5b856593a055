"""Where ``catenary plan`` finds the profiles of its models: in files, or with a running cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import grpc

from catenary.cli.configuration import configured
from catenary.model.profile import EngineProfile
from catenary.runtime.rpc import channel
from catenary.runtime.wire.profile import ProfileError, load_profile_file, profile_from_proto
from catenary.v1 import profiler_service_pb2 as pb
from catenary.v1.profiler_service_pb2_grpc import ProfilerServiceStub

FOLDERS = (Path("profiles"), Path("~/.cache/catenary/profiles"))
TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class ProfileSources:
    """``named``: entries MODEL=FILE; ``config``: names the profiler that is asked for what no file has."""

    named: Sequence[str] = ()
    config: Path | None = None


def profiles_of(models: set[str], sources: ProfileSources) -> dict[str, EngineProfile]:
    """A profile for each model: of ``sources.named``, else of the folders, else in force in the running cluster.

    Raises:
        ProfileError: a file cannot be used, or a model has no profile.
        UsageProblem: the configuration cannot be used.
    """
    found = in_folders(FOLDERS) | in_files(sources.named)
    if models <= found.keys():
        return found
    address = configured(sources.config).profiler.address
    found = asyncio.run(_in_force(address)) | found
    if lacking := sorted(models - found.keys()):
        known = ", ".join(sorted(found)) or "none"
        raise ProfileError(
            f"no profile of {', '.join(lacking)} in {' or '.join(map(str, FOLDERS))}, or with a profiler at {address} "
            f"(found: {known}); measure it with `catenary profile`, or name a file with --profile MODEL=FILE"
        )
    return found


def in_folders(folders: Sequence[Path]) -> dict[str, EngineProfile]:
    """Profiles by model; those of the first folder come first.

    Raises:
        ProfileError: a file of a folder cannot be used.
    """
    found: dict[str, EngineProfile] = {}
    for folder in folders:
        for path in sorted(folder.expanduser().glob("*.json")):
            profile = load_profile_file(path)
            found.setdefault(profile.model, profile)
    return found


def in_files(named: Sequence[str]) -> dict[str, EngineProfile]:
    """Profiles by model, of entries ``MODEL=FILE``.

    Raises:
        ProfileError: an entry has another form, or its file cannot be used.
    """
    found: dict[str, EngineProfile] = {}
    for entry in named:
        model, equals, file = entry.partition("=")
        if not equals:
            raise ProfileError(f"--profile {entry!r}: must have the form MODEL=FILE")
        found[model] = replace(load_profile_file(Path(file)), model=model)
    return found


async def _in_force(address: str) -> dict[str, EngineProfile]:
    """Profiles by model that the profiler at ``address`` has, but for assumed ones; none where nobody answers."""
    async with channel(address) as connection:
        stub = ProfilerServiceStub(connection)
        try:
            answer = await stub.ListProfiles(pb.ListProfilesRequest(), timeout=TIMEOUT_S)
        except grpc.RpcError:
            return {}
    return {m.model: profile_from_proto(m) for m in answer.profiles if m.origin != "assumed"}
