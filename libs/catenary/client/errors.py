"""The one exception of the client."""

from __future__ import annotations

from collections.abc import Mapping

import grpc


class CatenaryError(Exception):
    """A gateway refused a request, or none could be reached.

    ``code`` is the gRPC status, ``message`` is for people, ``reason`` is one word for programs (empty where the status
    comes from the transport) and ``metadata`` holds the figures that a gateway attached.
    """

    def __init__(
        self, code: grpc.StatusCode, message: str, reason: str = "", metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.metadata: dict[str, str] = dict(metadata or {})

    @property
    def unreachable(self) -> bool:
        """No gateway answered."""
        return self.code is grpc.StatusCode.UNAVAILABLE and not self.reason

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"
