"""The address that others reach a service at."""

from __future__ import annotations

import socket

_ANY = ("0.0.0.0", "[::]")


def advertised(address: str) -> str:
    """host:port with this machine's name where the host means every interface."""
    host, _, port = address.rpartition(":")
    return f"{socket.gethostname()}:{port}" if host in _ANY else address
