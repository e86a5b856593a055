"""How a measurement fails."""

from __future__ import annotations

import grpc


class ProfileFailed(Exception):
    """A measurement that cannot start or go on: gRPC status, text for people and one word as the reason."""

    def __init__(self, code: grpc.StatusCode, message: str, reason: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
