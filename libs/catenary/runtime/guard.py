"""A small process that outlives a supervisor for as long as it takes to end what the supervisor started.

``python -m catenary.runtime.guard SCOPE GRACE_S [FOLDER]`` waits for the end of its standard input, which is the end of
the supervisor, whatever ended it. Processes of the scope then have GRACE_S seconds to end by themselves (services get
SIGTERM when their parent dies) before they are killed. Then FOLDER is removed with what they left in it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from catenary.runtime.scope import SCOPE_VARIABLE, Scope

_POLL_S = 0.1


class Guard:
    """The supervisor's side: the guard process of one scope."""

    def __init__(self, scope: Scope, grace_s: float, folder: Path | None = None) -> None:
        self._arguments = [scope.path, str(grace_s), *([] if folder is None else [str(folder)])]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        environment = {k: v for k, v in os.environ.items() if k != SCOPE_VARIABLE}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "catenary.runtime.guard",
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )

    async def stop(self) -> None:
        """Let the guard end what is left of the scope, after its grace time, and then itself."""
        if self._process is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()
        self._process = None


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    scope, grace_s = Scope(sys.argv[1]), float(sys.argv[2])
    while os.read(0, 4096):
        pass
    kill_at = time.monotonic() + grace_s
    while scope.processes() and time.monotonic() < kill_at:
        time.sleep(_POLL_S)
    scope.kill()
    for folder in sys.argv[3:]:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
