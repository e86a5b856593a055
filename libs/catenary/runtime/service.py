"""The life of a service process: arguments, configuration, start, signals, stop."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

import structlog

from catenary.runtime.config import CONFIG_VARIABLE, Config, ConfigError, load_config
from catenary.runtime.logging import configure_logging
from catenary.runtime.scope import PARENT_VARIABLE
from catenary.runtime.stop_watch import end_within
from catenary.runtime.tasks import run_until
from catenary.runtime.tracing import configure_tracing, shutdown_tracing

STOP_S = 60.0
_PR_SET_PDEATHSIG = 1
_GC_THRESHOLDS = (20_000, 20, 100)


class Service(Protocol):
    """``stop`` ends what ``start`` began, in its own order; it is called once, also after a failed start."""

    @property
    def address(self) -> str:
        """host:port after ``start``."""
        ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


@runtime_checkable
class EndsItself(Protocol):
    """A service that may end without a signal."""

    async def finished(self) -> None:
        """Return when the process should stop; raise where that is a failure."""
        ...


@runtime_checkable
class StopsSlowly(Protocol):
    """A service whose stop may take longer than ``STOP_S``."""

    @property
    def stop_s(self) -> float:
        """Seconds within which it has stopped, or hangs."""
        ...


def main(
    service_name: str,
    build: Callable[[Config, argparse.Namespace], Service],
    add_arguments: Callable[[argparse.ArgumentParser], None] | None = None,
) -> None:
    """Run a service until SIGTERM or SIGINT; a second signal ends it at once, and so does a stop that hangs.

    Prints "ready HOST:PORT" when it serves. Exits with 2 where the configuration is wrong, 1 where the service fails.
    """
    parser = argparse.ArgumentParser(prog=f"catenary_{service_name}")
    parser.add_argument("--config", type=Path, default=_config_path(), help=f"YAML file; default: ${CONFIG_VARIABLE}")
    parser.add_argument("--id", default="", help="name of this instance; default: from the configuration")
    if add_arguments is not None:
        add_arguments(parser)
    args = parser.parse_args()
    die_with_parent()
    try:
        config = load_config(args.config)
        configure_logging(_instance(service_name, args), config.telemetry)
        configure_tracing(service_name, config.telemetry)
        failed = asyncio.run(_build_and_serve(build, config, args))
    except ConfigError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    finally:
        shutdown_tracing()
    raise SystemExit(1 if failed else 0)


def die_with_parent() -> None:
    """Have the kernel send SIGTERM when the parent named in CATENARY_PARENT ends. Linux; elsewhere nothing."""
    parent = os.environ.get(PARENT_VARIABLE, "")
    if not parent or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if parent.isdigit() and int(parent) > 1 and os.getppid() != int(parent):
        print(f"{PARENT_VARIABLE}: the parent {parent} has ended", file=sys.stderr)
        raise SystemExit(1)


def _config_path() -> Path | None:
    path = os.environ.get(CONFIG_VARIABLE, "")
    return Path(path) if path else None


def _instance(service_name: str, args: argparse.Namespace) -> str:
    instance = getattr(args, "worker", "") or args.id
    return f"{service_name}-{instance}" if instance else service_name


async def _build_and_serve(
    build: Callable[[Config, argparse.Namespace], Service], config: Config, args: argparse.Namespace
) -> bool:
    """A service is built inside the loop, to which gRPC's servers and channels are bound."""
    return await _serve(build(config, args))


async def _serve(service: Service) -> bool:
    """True where the service failed."""
    log = structlog.get_logger()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stopping.is_set():
            os._exit(1)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    failed = False
    try:
        if await run_until(stopping, service.start()):
            _collect_less_often()
            print(f"ready {service.address}", flush=True)
            if isinstance(service, EndsItself):
                await run_until(stopping, service.finished())
            else:
                await stopping.wait()
    except Exception as error:
        log.error("service failed", error=str(error), exc_info=True)
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        failed = True
    end_within(service.stop_s if isinstance(service, StopsSlowly) else STOP_S)
    await service.stop()
    return failed


def _collect_less_often() -> None:
    """What start-up made stays; what a request makes is freed by reference counts, but for a few cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
