"""A Unix socket beside each port on 127.0.0.1: processes of one user on one machine meet without TCP.

The socket of a port lies in a folder of the user's own, under a name that holds the network namespace, since another
container's 127.0.0.1 is another machine. Who cannot see the folder, or has none of its own, uses the port.
"""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from pathlib import Path

MAX_PATH_BYTES = 100  # of the 107 that Linux takes
HOST = "127.0.0.1"


def socket_of(address: str) -> Path | None:
    """Where the server at ``address``, a host:port, listens as well; None where it does not."""
    host, _, port = address.rpartition(":")
    if host != HOST or not port.isdigit() or port == "0":
        return None
    path = _folder() / f"{_namespace()}-{port}.sock"
    return path if len(os.fsencode(path)) <= MAX_PATH_BYTES else None


def prepared(address: str) -> Path | None:
    """The same for a server that begins to listen: its folder is there. None where that cannot be."""
    path = socket_of(address)
    if path is None:
        return None
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return None
    return path if _is_private(path.parent) else None


def target(address: str) -> str:
    """What a channel connects to: the socket where a server answers there now, else ``address``."""
    path = socket_of(address)
    return f"unix:{path}" if path is not None and _is_private(path.parent) and _answers(path) else address


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"catenary-rpc-{os.getuid()}"


def _namespace() -> int:
    try:
        return os.stat("/proc/self/ns/net").st_ino
    except OSError:
        return 0


def _is_private(folder: Path) -> bool:
    """Nobody else can put a socket there."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == 0o700


def _answers(path: Path) -> bool:
    """False for what a killed server has left behind."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
