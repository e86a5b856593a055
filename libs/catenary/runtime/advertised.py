"""The address that others reach a service at."""

from __future__ import annotations

import socket

_ANY = ("0.0.0.0", "[::]")


def advertised(address: str, host: str = "", instead: str = "") -> str:
    """``instead`` where given; else host:port with ``host``, or this machine's name, where it means every interface."""
    if instead:
        return instead
    listened, _, port = address.rpartition(":")
    return f"{host or socket.gethostname()}:{port}" if listened in _ANY else address
