"""The processes of the engines: marked, so that they are found and ended with their engine and with the worker."""

from __future__ import annotations

from catenary.runtime.guard import Guard
from catenary.runtime.scope import Scope

GUARD_GRACE_S = 0.5


class EngineProcesses:
    """A scope for each engine inside one of the worker, and a guard that ends them when the worker is killed.

    An engine leads no session of its own accord and handles signals itself, so it can outlive its worker.
    """

    def __init__(self) -> None:
        self._scope = (Scope.inherited() or Scope.root()).child("engines")
        self._guard: Guard | None = None
        self._left_to_guard = False

    async def open(self) -> None:
        self._guard = Guard(self._scope, GUARD_GRACE_S)
        await self._guard.start()

    def leave_to_guard(self) -> None:
        """An engine is still starting and may yet start processes: the guard ends them once the worker has ended."""
        self._left_to_guard = True

    async def close(self) -> None:
        if self._guard is not None and not self._left_to_guard:
            await self._guard.stop()

    def scope(self, model: str) -> Scope:
        return self._scope.child(model)
