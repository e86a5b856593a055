"""Whichever process stands still, runs end, whatever they were at when it did."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from extra_service import extra_service
from histories import violations
from phases import Phase, begin_in_all_phases, phases
from rolling import pid_of
from whole_cluster import write_config

from catenary.client import Client, Reattach
from catenary.model.outcome import Outcome
from catenary.runtime.cluster import Cluster

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAUSED_S = 2.6  # longer than every lease
END_S = 30.0


class Two:
    """A cluster with a second gateway and a standby router."""

    def __init__(self, cluster: Cluster, client: Client, extra: dict[str, int]) -> None:
        self._cluster = cluster
        self.client = client
        self._extra = extra

    async def pid(self, name: str) -> int:
        if name == "store":
            return self._cluster.store_pid
        return self._extra.get(name) or await pid_of(self._cluster, name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Two]:
    config = write_config(tmp_path_factory.mktemp("pauses"))
    async with Cluster(config) as cluster, AsyncExitStack() as stack:
        extra, addresses = {}, [cluster.addresses.gateway]
        for kind in ("router", "gateway"):
            child, address = await stack.enter_async_context(extra_service(cluster, kind, f"{kind}-1", config))
            extra[f"{kind}-1"] = child.pid
            addresses += [address] if kind == "gateway" else []
        client = await stack.enter_async_context(Client(addresses, reattach=Reattach(attempts=60)))
        yield Two(cluster, client, extra)


@pytest.mark.parametrize(
    "names",
    [
        ("gateway",),
        ("gateway", "gateway-1"),
        ("router",),
        ("router-1",),
        ("w2",),
        ("store",),
        ("store", "gateway"),
    ],
    ids=" and ".join,
)
async def test_every_run_ends_once_in_whatever_phase_the_pause_found_it(two: Two, names: tuple[str, ...]) -> None:
    tasks = await begin_in_all_phases(two.client, "-".join(names))
    at = time.monotonic()
    pids = [await two.pid(name) for name in names]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(PAUSED_S)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    _, unended = await asyncio.wait(tasks, timeout=END_S)
    assert sorted(task.get_name() for task in unended) == []
    runs = [task.result() for task in tasks]
    kept = {run.history.run_id: (await two.client.get(run.history.run_id)).outcome for run in runs}
    assert violations([run.history for run in runs], kept) == []
    assert set(kept.values()) == {Outcome.SUCCEEDED}
    assert len(phases(runs, at)) >= len(Phase) - 1, "the load was none to tell anything by"
