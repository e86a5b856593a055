"""Three engines with the same arguments on one accelerator: of a cluster, of ``vllm serve``, and of this process."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp

from catenary.runtime.config import Config
from catenary_worker.vllm_settings import VllmSettings
from catenary_worker.vllm_stats import StepStats

SERVE_PORT = 7475
MARKS = Path(__file__).parent / "marks"


def engine_settings(config: Config, model: str) -> VllmSettings:
    return VllmSettings(
        model=model,
        config=config.models[model],
        worker=config.workers[0],
        cache_dir=config.cache_dir,
        device_variable=config.provisioner.device_variable,
    )


def marks_folder(work: Path) -> Path:
    return work / "marks"


def serve_command(arguments: dict[str, Any]) -> list[str]:
    """``vllm serve`` with the engine arguments of the worker."""
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1"]
    command += ["--port", str(SERVE_PORT)]
    for name, value in arguments.items():
        option = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            command += [option] if value else []
        else:
            command += [option, str(value)]
    return command


@contextlib.contextmanager
def children(args: argparse.Namespace, settings: VllmSettings, folder: Path) -> Iterator[None]:
    """The cluster and ``vllm serve``, ended afterwards."""
    environment = os.environ | {"CATENARY_STORE__DATA_DIR": f"{args.work}/store"}
    environment |= {"CATENARY_GATEWAY__COUNT": str(args.gateways)} if args.gateways > 1 else {}
    if args.hop_rounds:
        path = os.pathsep.join((str(MARKS), os.environ.get("PYTHONPATH", "")))
        environment |= {"CATENARY_MARKS": str(marks_folder(args.work)), "PYTHONPATH": path}
    commands = {"catenary": [sys.executable, "-m", "catenary.cli.main", "up", "--config", str(args.config)]}
    if "serve" in args.ways:
        commands["serve"] = serve_command(dict(settings.engine_args(folder)))
    with contextlib.ExitStack() as logs:
        started = []
        for name, command in commands.items():
            log = logs.enter_context((args.work / f"{name}.log").open("w"))
            own = settings.environment() | {"VLLM_CACHE_ROOT": f"{args.work}/serve-cache"} if name == "serve" else {}
            started.append(
                subprocess.Popen(
                    command, env=environment | own, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                )
            )
        try:
            yield
        finally:
            for process in started:
                process.send_signal(signal.SIGINT)
            for process in started:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(40)


async def serve_ready(timeout_s: float) -> None:
    give_up_at = time.monotonic() + timeout_s
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < give_up_at:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{SERVE_PORT}/health") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.5)
    raise RuntimeError(f"vllm serve was not ready after {timeout_s:g} s")


def start_in_process(settings: VllmSettings, folder: Path, work: Path, with_times: bool) -> Any:
    """``with_times``: the engine keeps statistics, as the worker's does, and with them the times of each call."""
    os.environ.update(settings.environment())
    os.environ["VLLM_CACHE_ROOT"] = str(work / "own-cache")
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    arguments = AsyncEngineArgs(**settings.engine_args(folder))
    loggers: Any = [StepStats()] if with_times else None
    return AsyncLLM.from_engine_args(arguments, stat_loggers=loggers)
