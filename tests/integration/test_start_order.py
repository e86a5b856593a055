"""A service that is started before what it needs waits for it, and its log says for what."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from whole_cluster import write_config

from catenary.runtime.embedded import EmbeddedStore
from catenary.runtime.process import Child, Command
from catenary.runtime.scope import Scope

SAYS = {
    "gateway": ("waits for the store", "waits for a router to tell of its pools"),
    "router": ("waits for the store", "router is active"),
}


@pytest.mark.parametrize("service", ["gateway", "router"])
async def test_it_waits_for_the_store_and_says_so(tmp_path: Path, service: str) -> None:
    store = EmbeddedStore(tmp_path / "store", 64)
    config = write_config(tmp_path, store={"url": f"unix://{tmp_path}/store/valkey.sock"})
    log = tmp_path / f"{service}.out"
    command = Command(service, (sys.executable, "-m", f"catenary_{service}", "--config", str(config)), {}, log)
    child = await Child.spawn(command, Scope.root())
    try:
        await says(log, SAYS[service][0])
        assert not child.has_ended
        store.start()
        await says(log, SAYS[service][1])
        await child.ready(30)
    finally:
        await child.stop(10)
        store.stop()


async def says(log: Path, text: str) -> None:
    for _ in range(600):
        if await asyncio.to_thread(has, log, text):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{log} does not say {text!r}")


def has(log: Path, text: str) -> bool:
    return log.exists() and text in log.read_text()
