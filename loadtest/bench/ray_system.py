"""Ray Serve on this machine, in an environment of its own, behind its gRPC proxy."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from bench.arrival import Arrival, CallFigures, Ending
from bench.ray_serve.rpc import METHOD
from bench.system import Capacity
from bench.versions import ROOT
from bench.work import Work, profiles, switch_times

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
NUM_CPUS = 32  # for placement alone: replicas ask for none
TUNED = {
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_ENABLE_DIRECT_INGRESS": "0",
}
"""Ray's throughput-optimised mode. Its direct ingress goes with HAProxy; the gRPC proxy takes its place here."""


class RayError(Exception):
    """Ray Serve does not start; the text says how it ended."""


@dataclass(frozen=True, slots=True)
class RaySettings:
    """``environment``: variables of every Ray process; ``autoscaling``: instead of fixed ``replicas``; ``slack``: our
    routing rule in place of Ray's."""

    replicas: Mapping[str, int]
    environment: Mapping[str, str] = field(default_factory=dict)
    autoscaling: Mapping[str, Any] | None = None
    slack: bool = False


class RaySystem:
    """Requests are one JSON text each way; the answer comes when the run has ended."""

    start_timeout_s = START_TIMEOUT_S

    def __init__(self, name: str, work: Work, settings: RaySettings, python: Path) -> None:
        """``python``: of an environment that has ray[serve]."""
        self.name = name
        self.version = "ray"
        self._work = work
        self._settings = settings
        self._python = python
        self._states: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="ray-bench-"))
        port, http_port = free_port(), free_port()
        environment = ray_environment(self._settings.environment)
        spec = self._folder / "spec.json"
        spec.write_text(json.dumps(self._spec(port, http_port)))
        with (self._folder / "host.log").open("w") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(self._python), "-m", "bench.ray_serve.host", str(spec),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log, env=environment,
            )  # fmt: skip
        try:
            ready = await asyncio.wait_for(self._next_message(), self.start_timeout_s)
        except (TimeoutError, RayError) as error:
            text = (self._folder / "host.log").read_text()[-2000:]
            await self._stop()
            raise RayError(f"Ray Serve is not ready after {self.start_timeout_s:g} s:\n{text}") from error
        self.version = f"ray {ready['version']}"
        self._states = ready["states"]
        self._listener = asyncio.create_task(self._listen())
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self._run = self._channel.unary_unary(
            METHOD, request_serializer=StringValue.SerializeToString, response_deserializer=StringValue.FromString
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._channel.close()
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)
        await self._stop()

    async def submit(self, arrival: Arrival, run_id: str) -> Ending:
        workflow = self._work.workflow["name"]
        text = json.dumps({"workflow": workflow, "inputs": arrival.inputs, "deadline_s": arrival.deadline_s})
        try:
            answer = await self._run(StringValue(value=text), metadata=(("application", "bench"),))
        except grpc.aio.AioRpcError as error:
            return Ending("FAILED", f"{error.code().name}: {error.details()}")
        calls = json.loads(answer.value)["calls"]
        return Ending("SUCCEEDED", calls=tuple(CallFigures(**call) for call in calls))

    async def capacity(self) -> Capacity:
        replicas = sum(self._states.values())
        return Capacity(replicas, replicas)

    def _spec(self, port: int, http_port: int) -> dict[str, Any]:
        settings, shares = self._settings, self._gpu_shares()
        return {
            "models": self._engines(),
            "replicas": dict(settings.replicas),
            "autoscaling": settings.autoscaling,
            "slack": settings.slack,
            "grpc_port": port,
            "http_port": http_port,
            "num_cpus": NUM_CPUS,
            "num_gpus": math.ceil(sum(shares[name] * settings.replicas[name] for name in shares)),
            "gpu_shares": shares,
            "folder": str(self._folder / "ray"),
        }

    def _engines(self) -> Mapping[str, Any]:
        """A replica of an autoscaled model takes as long to start as an engine of Catenary takes to wake."""
        found = profiles(self._work)
        if self._settings.autoscaling is None:
            return found
        return {name: {**found[name], "start_s": times["wake_s"]} for name, times in switch_times(self._work).items()}

    def _gpu_shares(self) -> Mapping[str, float]:
        """By model, of one GPU for a replica."""
        return {}

    async def _next_message(self) -> dict[str, Any]:
        """The host's next JSON line; Ray's own lines between are left out."""
        if self._process.stdout is None:
            raise RayError("the host has no output")
        while line := await self._process.stdout.readline():
            if line.startswith(b"{"):
                message: dict[str, Any] = json.loads(line)
                return message
        raise RayError("the host has ended")

    async def _listen(self) -> None:
        with contextlib.suppress(RayError):
            while True:
                self._states = (await self._next_message())["states"]

    async def _stop(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def ray_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's variables without those of Catenary and Ray, the paths of the shared files, and ``changes``."""
    paths = (ROOT / "libs", ROOT / "services", ROOT / "loadtest")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CATENARY_", "RAY_"))}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "RAY_USAGE_STATS_ENABLED": "0",
        "GRPC_EXPERIMENTS": "",
        **changes,
    }


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port
