"""A provisioner that can decide nothing any more ends, and its workers with it."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from catenary.core.provisioner import ProvisionerCore
from catenary.core.provisioner.events import ProcessEnded, ProcessStarted, ProvisionerEvent
from catenary.runtime.background import Background
from catenary_provisioner.cluster.port import Notify, RunningWorker
from catenary_provisioner.shell import Provisioner


class OneWorker:
    """A backend whose worker takes a moment to end."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self.closed = False

    async def open(self) -> None:
        self._notify(ProcessStarted("w0", 1, 7))

    def start(self, worker_id: str, attempt: int) -> None: ...

    def stop(self, worker_id: str, at_once: bool) -> None: ...

    def list(self) -> list[RunningWorker]:
        return []

    async def close(self) -> None:
        await asyncio.sleep(0.01)
        self._notify(ProcessEnded("w0", 1, "exited with 0"))
        self.closed = True


class NoDecisions:
    def handle(self, event: ProvisionerEvent, now: float) -> list[object]:
        raise ValueError("no decision")


async def test_its_workers_are_ended_all_the_same() -> None:
    background = Background()
    backends: list[OneWorker] = []

    def backend(notify: Notify) -> OneWorker:
        backends.append(OneWorker(notify))
        return backends[0]

    core = cast(ProvisionerCore, NoDecisions())
    provisioner = Provisioner(core, backend, "p0", lambda plan: None, background)
    await provisioner.start()
    with pytest.raises(ValueError, match="no decision"):
        await asyncio.wait_for(background.failed(), 5)
    await provisioner.stop()
    await background.close()
    assert backends[0].closed
