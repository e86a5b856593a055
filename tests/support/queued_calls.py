"""Calls as a gateway offers them."""

from __future__ import annotations

from catenary.model.dispatch import QueuedCall
from catenary.model.lengths import LengthEstimate


def queued(name: str, tokens: int = 10) -> QueuedCall:
    """A call of exactly so many output tokens, without a deadline."""
    return QueuedCall(name, 1, "g", "m", 10, tokens, LengthEstimate.exactly(tokens), 0.0)
