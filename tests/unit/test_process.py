from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from catenary.runtime.guard import Guard
from catenary.runtime.output import OutputLog
from catenary.runtime.process import Child, ChildError, Command
from catenary.runtime.scope import Scope

STUBBORN_TREE = """
import os, subprocess, sys, time
leaf = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
a = subprocess.Popen([sys.executable, "-c", leaf])
b = subprocess.Popen([sys.executable, "-c", leaf], start_new_session=True)
print("pids", a.pid, b.pid, flush=True)
print("ready here:1", flush=True)
time.sleep(300)
"""


def script(name: str, code: str, log: Path | None = None) -> Command:
    return Command(name, (sys.executable, "-u", "-c", textwrap.dedent(code)), log=log)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def leaf_pids(log: Path) -> list[int]:
    line = next(line for line in log.read_text().splitlines() if line.startswith("pids"))
    return [int(pid) for pid in line.split()[1:]]


async def test_a_ready_line_carries_the_address(tmp_path: Path) -> None:
    child = await Child.spawn(
        script("c", "import time; print('ready h:7'); time.sleep(60)", tmp_path / "c"), Scope.root()
    )
    assert await child.ready(10) == "h:7"
    await child.stop(5)
    assert not is_running(child.pid)


async def test_a_child_that_ends_before_it_is_ready_is_an_error_with_its_last_lines(tmp_path: Path) -> None:
    child = await Child.spawn(script("c", "raise SystemExit('no such port')", tmp_path / "c"), Scope.root())
    with pytest.raises(ChildError, match=r"c ended with exit code 1 \(log: .*\):\nno such port"):
        await child.ready(10)
    await child.wait()


async def test_a_child_that_says_nothing_times_out_and_can_be_stopped() -> None:
    child = await Child.spawn(script("c", "import time; time.sleep(60)"), Scope.root())
    with pytest.raises(ChildError, match=r"not ready after 0.2 s"):
        await child.ready(0.2)
    assert "SIGTERM" in await child.stop(5)


async def test_grandchildren_in_other_sessions_end_with_the_child(tmp_path: Path) -> None:
    child = await Child.spawn(script("c", STUBBORN_TREE, tmp_path / "c"), Scope.root())
    await child.ready(10)
    await child.stop(5)
    assert not any(is_running(pid) for pid in leaf_pids(tmp_path / "c"))


async def test_grandchildren_end_when_the_child_is_killed_from_outside(tmp_path: Path) -> None:
    child = await Child.spawn(script("c", STUBBORN_TREE, tmp_path / "c"), Scope.root())
    await child.ready(10)
    os.kill(child.pid, signal.SIGKILL)
    assert "SIGKILL" in await asyncio.wait_for(child.wait(), 10)
    assert not any(is_running(pid) for pid in leaf_pids(tmp_path / "c"))


async def test_a_child_that_ignores_sigterm_is_killed_after_the_grace_time(tmp_path: Path) -> None:
    code = "import signal,time; signal.signal(15, signal.SIG_IGN); print('ready x:1'); time.sleep(60)"
    child = await Child.spawn(script("c", code, tmp_path / "c"), Scope.root())
    await child.ready(10)
    assert "SIGKILL" in await child.stop(0.2)


async def test_a_program_that_does_not_exist_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        await Child.spawn(Command("c", ("/nonexistent/program",)), Scope.root())


def test_all_ends_when_the_supervisor_itself_is_killed(tmp_path: Path) -> None:
    log, folder = tmp_path / "tree", tmp_path / "left"
    folder.mkdir()
    (folder / "socket").touch()
    code = f"""
    import asyncio, sys
    from pathlib import Path
    from catenary.runtime.guard import Guard
    from catenary.runtime.process import Child, Command
    from catenary.runtime.scope import Scope
    async def main():
        scope = Scope.root()
        await Guard(scope, 0.3, Path({str(folder)!r})).start()
        command = Command("tree", (sys.executable, "-u", "-c", {STUBBORN_TREE!r}), log=Path({str(log)!r}))
        child = await Child.spawn(command, scope)
        await child.ready(10)
        print(scope.path, flush=True)
        await asyncio.sleep(300)
    asyncio.run(main())
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        scope = Scope(supervisor.stdout.readline().strip())
        assert len(scope.processes()) == 3
        supervisor.kill()
        supervisor.wait()
    assert wait_until(lambda: not scope.processes())
    assert not any(is_running(pid) for pid in leaf_pids(log))
    assert wait_until(lambda: not folder.exists())


async def test_a_guard_ends_at_once_when_nothing_is_left() -> None:
    guard = Guard(Scope.root(), 60.0)
    await guard.start()
    await asyncio.wait_for(guard.stop(), 10)


def test_a_scope_covers_what_is_below_it_and_nothing_else() -> None:
    scope = Scope("a/b")
    assert scope.covers("a/b")
    assert scope.covers(scope.child("c").path)
    assert not scope.covers("a/bc")
    assert not scope.covers("a")
    assert not scope.covers("")


def test_output_is_split_into_lines_across_chunks_and_kept_in_two_bounded_files(tmp_path: Path) -> None:
    log = OutputLog(tmp_path / "out", max_bytes=64)
    assert log.feed(b"one\ntw") == ["one"]
    assert log.feed(b"o\n") == ["two"]
    for _ in range(50):
        log.feed(b"0123456789abcdef\n")
    log.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "out.1"]
    assert all(p.stat().st_size <= 64 for p in tmp_path.iterdir())
    assert log.tail().endswith("0123456789abcdef")
