"""The port to a system under test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from bench.arrival import Arrival, Ending


@dataclass(frozen=True, slots=True)
class Capacity:
    """``replicas``: engines that take calls, start or stop; ``accelerators``: held, whether an engine on them does any
    of that or not."""

    replicas: int
    accelerators: int


class System(Protocol):
    """Started as an async context manager, ready for load once it is entered."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...

    async def submit(self, arrival: Arrival, run_id: str) -> Ending:
        """Run it to its end. A failure of the system is an Ending, not an exception."""
        ...

    async def capacity(self) -> Capacity: ...
