"""The life of a service process, with real processes and signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = """
import asyncio, sys, structlog
from catenary.runtime.service import main

class Service:
    address = "127.0.0.1:7"
    async def start(self):
        structlog.contextvars.bind_contextvars(run_id="r1")
        structlog.get_logger().info("started", mode=MODE)
        if MODE == "fails": raise OSError("no room")
        if MODE == "slow": await asyncio.sleep(60)
    async def stop(self):
        print("stopped", flush=True)
        if MODE in ("stuck", "hangs"): await asyncio.sleep(60)

class Slow(Service):
    stop_s = 0.2

class Ending(Service):
    async def finished(self):
        await asyncio.sleep(0.05)

MODE = sys.argv.pop()
MADE = {"ends": Ending, "hangs": Slow}
main("test", lambda config, args: MADE.get(MODE, Service)())
"""


@contextmanager
def service(mode: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROGRAM, mode]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, env={**os.environ, **environment}, stdout=pipe, stderr=pipe) as process:
        yield process
        process.kill()


def test_it_says_where_it_serves_and_stops_on_sigterm() -> None:
    with service("runs") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready 127.0.0.1:7\n"
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=10)
        assert (process.returncode, output) == (0, "stopped\n")
        line = json.loads(errors.splitlines()[0])
        assert {"event": "started", "service": "test", "run_id": "r1", "level": "info"}.items() <= line.items()


def test_a_signal_during_a_slow_start_stops_it() -> None:
    with service("slow") as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=10)
        assert (process.returncode, output) == (0, "stopped\n")


def test_a_second_signal_ends_a_stop_that_hangs() -> None:
    with service("stuck") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "stopped\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 1


def test_a_stop_that_hangs_ends_in_its_time_and_says_what_it_waited_for() -> None:
    with service("hangs") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=10)
        assert (process.returncode, output) == (1, "stopped\n")
        assert "not stopped within 0.2 s" in errors
        assert "Service.stop (<string>:" in errors


def test_a_failed_start_is_named_and_stopped() -> None:
    with service("fails") as process:
        output, errors = process.communicate(timeout=10)
        assert (process.returncode, output) == (1, "stopped\n")
        assert errors.splitlines()[-1] == "OSError: no room"


def test_a_service_may_end_itself() -> None:
    with service("ends") as process:
        output, _ = process.communicate(timeout=10)
        assert (process.returncode, output) == (0, "ready 127.0.0.1:7\nstopped\n")


def test_a_wrong_configuration_ends_it_with_2(tmp_path: Path) -> None:
    with service("runs", CATENARY_ROUTER__QUEUE_LIMIT="0") as process:
        output, errors = process.communicate(timeout=10)
        assert (process.returncode, output) == (2, "")
        assert "router.queue_limit" in errors


def test_it_does_not_start_for_a_parent_that_has_ended() -> None:
    with service("runs", CATENARY_PARENT="999999") as process:
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 1
        assert "the parent 999999 has ended" in errors


def test_logs_go_to_a_file_where_one_is_configured(tmp_path: Path) -> None:
    with service("ends", CATENARY_TELEMETRY__LOG_DIR=str(tmp_path / "logs")) as process:
        process.communicate(timeout=10)
    assert json.loads((tmp_path / "logs" / "test.log").read_text().splitlines()[0])["event"] == "started"
