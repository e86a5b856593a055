"""Addresses that services are to listen on: chosen where the port is 0, tried where it is given."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Mapping


class AddressError(Exception):
    """An address cannot be listened on; the text names it and the way out."""


def settle_addresses(wanted: Mapping[str, str]) -> dict[str, str]:
    """The addresses by process (``gateway``, ``gateway-1``), with a free port in place of each port 0.

    Raises:
        AddressError: an address is in use, or is none of this machine.
    """
    settled: dict[str, str] = {}
    with contextlib.ExitStack() as opened:
        for name, address in wanted.items():
            host, _, port = address.rpartition(":")
            listener = opened.enter_context(_bound(name, host.strip("[]"), int(port)))
            settled[name] = f"{host}:{listener.getsockname()[1]}"
    return settled


def _bound(name: str, host: str, port: int) -> socket.socket:
    section = name.partition("-")[0]
    where = f"{section}.address: {host}:{port}"
    variable = f"CATENARY_{section.upper()}__ADDRESS"
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise AddressError(f"{where} is no address of this machine ({error}); set {variable}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(target)
        listener.listen(1)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise AddressError(f"{where} is in use; stop what listens there or set {variable}") from error
        raise AddressError(f"{where} cannot be listened on ({error.strerror}); set {variable}") from error
    return listener
