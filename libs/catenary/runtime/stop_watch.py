"""The last resort where an orderly end does not come to its end."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
from collections.abc import Iterator
from typing import Any

_FOR_THE_LOOP_S = 5.0


def end_within(seconds: float) -> None:
    """From now on the process has ``seconds`` left. Where it is still there, it writes to standard error what its tasks
    and threads wait for, and ends with 1: a supervisor that waits for it goes on, and somebody can say why it hung."""
    faulthandler.dump_traceback_later(seconds + _FOR_THE_LOOP_S, exit=True)
    asyncio.get_running_loop().call_later(seconds, _give_up, seconds)


def _give_up(seconds: float) -> None:
    print(f"not stopped within {seconds:g} s; its tasks and threads wait here:", file=sys.stderr)
    for task in asyncio.all_tasks():
        print(f"{task.get_name()}: {' > '.join(_waits(task.get_coro()))}", file=sys.stderr)
    faulthandler.dump_traceback(all_threads=True)
    os._exit(1)


def _waits(awaited: Any) -> Iterator[str]:
    """From the task's own coroutine to the innermost one that it awaits; a task's stack is the first alone."""
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None)
        if frame is not None:
            yield f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
        awaited = getattr(awaited, "cr_await", None)
