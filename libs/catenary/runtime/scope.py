"""A mark in the environment by which every process that a supervisor started, directly or not, is found again.

Process groups and sessions can be left and parents can die; the environment of a process stays with it and goes on to
its children. A scope is a path: it covers itself and all scopes below it.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

SCOPE_VARIABLE = "CATENARY_SCOPE"
PARENT_VARIABLE = "CATENARY_PARENT"
_SWEEP_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Scope:
    """A subtree of processes, named by ``path``."""

    path: str

    @staticmethod
    def root() -> Scope:
        """A new scope that is part of no other."""
        return Scope(f"{os.getpid()}-{secrets.token_hex(6)}")

    @staticmethod
    def inherited() -> Scope | None:
        """The scope that this process was started in, or None."""
        path = os.environ.get(SCOPE_VARIABLE)
        return Scope(path) if path else None

    def child(self, name: str) -> Scope:
        return Scope(f"{self.path}/{name}-{secrets.token_hex(3)}")

    def environment(self) -> dict[str, str]:
        """Variables for a process in this scope; SPT_NOENV keeps setproctitle from overwriting them."""
        return {SCOPE_VARIABLE: self.path, "SPT_NOENV": "1"}

    def covers(self, path: str) -> bool:
        return path == self.path or path.startswith(self.path + "/")

    def processes(self, session: int = 0) -> list[psutil.Process]:
        """Living processes of the scope, and of the session ``session`` if it is not 0; never the caller."""
        return list(self._processes(session))

    def kill(self, session: int = 0, timeout_s: float = 5.0) -> int:
        """End all processes of the scope with SIGKILL and return how many there were. Blocks up to ``timeout_s``."""
        killed: set[int] = set()
        give_up_at = time.monotonic() + timeout_s
        while found := self.processes(session):
            for process in found:
                try:
                    process.kill()
                    killed.add(process.pid)
                except psutil.Error:
                    continue
            if time.monotonic() > give_up_at:
                break
            time.sleep(_SWEEP_PAUSE_S)
        return len(killed)

    def _processes(self, session: int) -> Iterator[psutil.Process]:
        own = os.getpid()
        for process in psutil.process_iter():
            if process.pid != own and (self._marks(process) or _in_session(process, session)) and _is_alive(process):
                yield process

    def _marks(self, process: psutil.Process) -> bool:
        try:
            return self.covers(process.environ().get(SCOPE_VARIABLE, ""))
        except (psutil.Error, OSError):
            return False


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.Error:
        return False


def _in_session(process: psutil.Process, session: int) -> bool:
    try:
        return session > 0 and os.getsid(process.pid) == session
    except OSError:
        return False
