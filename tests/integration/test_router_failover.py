"""A standby router goes on with queues from the gateways and reservations from the workers."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from extra_service import extra_service
from histories import History, violations
from tracked_runs import check, follow, run_all, workflow
from whole_cluster import write_config

from catenary.client import Client
from catenary.model.outcome import Outcome
from catenary.runtime.cluster import Cluster
from catenary.runtime.store.connection import connect
from catenary.runtime.store.lease import Lease, LeaseInfo

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_config(tmp_path_factory.mktemp("failover"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(config: Path) -> AsyncIterator[Cluster]:
    async with Cluster(config) as cluster:
        yield cluster


async def leader(cluster: Cluster) -> LeaseInfo | None:
    async with connect(cluster.store_url) as redis:
        return await Lease.read(redis, "router")


async def until_leads(cluster: Cluster, accepted: Callable[[LeaseInfo], bool]) -> float:
    """Seconds until the lease is held so."""
    began = time.monotonic()
    while (info := await leader(cluster)) is None or not accepted(info):
        assert time.monotonic() < began + 10
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def test_a_standby_takes_over_within_two_seconds_and_no_run_is_lost(cluster: Cluster, config: Path) -> None:
    async with (
        extra_service(cluster, "router", "router-1", config),
        Client(cluster.addresses.gateway) as client,
    ):
        histories, tasks = await run_all(client, workflow("slow", 30), 14, "failover")
        await asyncio.sleep(0.5)
        before = await leader(cluster)
        assert before is not None
        os.kill(cluster.pids["router"], signal.SIGKILL)
        assert await until_leads(cluster, lambda info: info.epoch > before.epoch) < 2.5
        more, added = await run_all(client, workflow(tokens=50), 6, "after")
        await asyncio.gather(*tasks, *added)
        await check(client, histories + more)


async def test_a_paused_router_is_refused_when_it_goes_on(cluster: Cluster, config: Path) -> None:
    async with (
        extra_service(cluster, "router", "router-2", config),
        Client(cluster.addresses.gateway) as client,
    ):
        await until_leads(cluster, lambda info: info.holder == "router-0")
        pid = cluster.pids["router"]
        histories, tasks = await run_all(client, workflow("slow", 40), 8, "paused")
        os.kill(pid, signal.SIGSTOP)
        await until_leads(cluster, lambda info: info.holder != "router-0")
        await asyncio.sleep(0.5)
        os.kill(pid, signal.SIGCONT)
        more: list[History] = []
        for number in range(4):
            handle = await client.submit(workflow(tokens=20), run_id=f"later-{number}", tokens=True)
            more.append(History(handle.run_id))
            await follow(handle, more[-1])
        await asyncio.gather(*tasks)
        kept = {history.run_id: (await client.get(history.run_id)).outcome for history in histories + more}
        assert violations(histories + more, kept) == []
        assert set(kept.values()) == {Outcome.SUCCEEDED}
