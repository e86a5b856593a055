"""The processes of the engines: marked, so that they are found and ended with their engine and with the worker."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from catenary.runtime.guard import Guard
from catenary.runtime.scope import Scope

GUARD_GRACE_S = 0.5
SOCKETS_VARIABLE = "VLLM_RPC_BASE_PATH"
MAX_FOLDER_BYTES = 107 - len("/") - 36
"""The path of a Unix socket has at most 107 bytes; vLLM names its sockets by a UUID."""


class EngineProcesses:
    """A scope for each engine inside one of the worker, and a guard that ends them when the worker is killed.

    An engine leads no session of its own accord and handles signals itself, so it can outlive its worker. Engines leave
    their sockets behind where they are killed, so these are in a folder of the worker's own, which goes with it.
    """

    def __init__(self) -> None:
        self._scope = (Scope.inherited() or Scope.root()).child("engines")
        self._guard: Guard | None = None
        self._sockets: Path | None = None
        self._left_to_guard = False

    async def open(self) -> None:
        self._sockets = _folder()
        self._guard = Guard(self._scope, GUARD_GRACE_S, self._sockets)
        await self._guard.start()

    def leave_to_guard(self) -> None:
        """An engine is still starting and may yet start processes: the guard ends them once the worker has ended."""
        self._left_to_guard = True

    async def close(self) -> None:
        if self._guard is not None and not self._left_to_guard:
            await self._guard.stop()

    def scope(self, model: str) -> Scope:
        return self._scope.child(model)

    def environment(self) -> dict[str, str]:
        """What the engines' processes are started with beside the mark of their scope."""
        return {} if self._sockets is None else {SOCKETS_VARIABLE: str(self._sockets)}


def _folder() -> Path:
    """A new one where vLLM would put its sockets, or in /tmp where that is too long for them."""
    wanted = os.environ.get(SOCKETS_VARIABLE) or tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix="catenary-", dir=wanted))
    if len(os.fsencode(folder)) <= MAX_FOLDER_BYTES:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="catenary-", dir="/tmp"))
