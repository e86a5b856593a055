"""The store is killed, out of reach or full while runs are under way."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from histories import History
from redis.asyncio import Redis
from tracked_runs import check, run_all, workflow
from whole_cluster import write_config

from catenary.client import CallTokens, CatenaryError, Client
from catenary.model.outcome import Outcome
from catenary.runtime.cluster import Cluster
from catenary.runtime.store.connection import connect

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with Cluster(write_config(tmp_path_factory.mktemp("faults"))) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def client(cluster: Cluster) -> AsyncIterator[Client]:
    async with Client(cluster.addresses.gateway) as client:
        await submitted(client, "takes-runs", 30.0)
        yield client


@asynccontextmanager
async def bounded(cluster: Cluster) -> AsyncIterator[Redis]:
    """The store, whose ``maxmemory`` may be set; it has room again afterwards."""
    async with connect(cluster.store_url) as redis:
        try:
            yield redis
        finally:
            await redis.config_set("maxmemory", str(512 << 20))


def num_token_events(histories: list[History], call: str) -> int:
    events = [event for history in histories for _, event in history.events]
    return sum(isinstance(event, CallTokens) and event.ref.name == call for event in events)


async def submitted(client: Client, run_id: str, within_s: float) -> None:
    """Submit until a run is taken; the gateway may have no answer from the store yet, but it must not refuse."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                run = await client.run(workflow(tokens=4), run_id=run_id)
            except CatenaryError:
                await asyncio.sleep(0.1)
            else:
                assert run.outcome is Outcome.SUCCEEDED, (run.outcome, run.reason)
                return


async def test_a_killed_store_comes_back_and_nothing_is_lost(cluster: Cluster, client: Client) -> None:
    ended = [await client.run(workflow(tokens=4), run_id=f"before-{number}") for number in range(5)]
    histories, tasks = await run_all(client, workflow("slow", 40), 8, "killed-store")
    await asyncio.sleep(0.3)
    os.kill(cluster.store_pid, signal.SIGKILL)
    await asyncio.gather(*tasks)
    await check(client, histories)
    for run in ended:
        assert (await client.get(run.run_id)).output == run.output
    await submitted(client, "after-kill", 15.0)


async def test_what_the_store_loses_with_the_power_the_gateways_bring_back(cluster: Cluster, client: Client) -> None:
    begun, tasks = await run_all(client, workflow("slow", 30), 4, "before-loss")
    files = list((cluster.config.store.data_dir / "appendonlydir").glob("*.incr.aof"))
    newest = max(files, key=lambda file: file.stat().st_mtime_ns)
    kept = newest.stat().st_size
    lost, more_tasks = await run_all(client, workflow("slow", 30), 4, "in-the-lost-second")
    await asyncio.sleep(0.7)
    os.kill(cluster.store_pid, signal.SIGKILL)
    os.truncate(newest, kept)
    await asyncio.gather(*tasks, *more_tasks)
    await check(client, begun + lost)
    await submitted(client, "after-loss", 15.0)


async def test_a_full_disk_refuses_new_runs_and_admitted_ones_end_when_there_is_room(
    cluster: Cluster, client: Client
) -> None:
    histories, tasks = await run_all(client, workflow("slow", 15), 4, "full-disk")
    pid = cluster.store_pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    try:
        await asyncio.sleep(3.5)
        assert cluster.store_pid == pid
        with pytest.raises(CatenaryError) as caught:
            await client.submit(workflow(), run_id="no-disk")
        assert caught.value.code.name in ("UNAVAILABLE", "RESOURCE_EXHAUSTED")
        assert caught.value.reason
        assert all(history.outcome is None for history in histories)
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await asyncio.gather(*tasks)
    await check(client, histories)
    await submitted(client, "disk-again", 15.0)


async def test_while_the_store_does_not_answer_admitted_runs_go_on_and_new_ones_are_refused(
    cluster: Cluster, client: Client
) -> None:
    histories, tasks = await run_all(client, workflow("slow", 50), 8, "paused-store")
    await asyncio.sleep(0.3)
    pid = cluster.store_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(3.0)
        with pytest.raises(CatenaryError) as caught:
            await client.submit(workflow(), run_id="refused")
        assert (caught.value.code.name, caught.value.reason) == ("UNAVAILABLE", "STORE_UNAVAILABLE")
        before = num_token_events(histories, "second")
        await asyncio.sleep(2.0)
        assert num_token_events(histories, "second") > before
    finally:
        os.kill(pid, signal.SIGCONT)
    await asyncio.gather(*tasks)
    await check(client, histories)
    await submitted(client, "after-pause", 15.0)


async def test_a_full_store_refuses_new_runs_and_admitted_ones_end(cluster: Cluster, client: Client) -> None:
    async with bounded(cluster) as redis:
        histories, tasks = await run_all(client, workflow("slow", 30), 4, "full-store")
        await asyncio.sleep(0.6)  # buffers of clients are given back
        used = int((await redis.info("memory"))["used_memory"])
        await redis.config_set("maxmemory", str(round(used * 1.05)))
        await asyncio.sleep(1.2)
        with pytest.raises(CatenaryError) as caught:
            await client.submit(workflow(), run_id="no-room")
        assert (caught.value.code.name, caught.value.reason) == ("RESOURCE_EXHAUSTED", "REJECTED_CAPACITY")
        await asyncio.gather(*tasks)
    await check(client, histories)
    await submitted(client, "room-again", 15.0)


async def test_a_write_that_the_full_store_refuses_is_made_when_there_is_room(cluster: Cluster, client: Client) -> None:
    async with bounded(cluster) as redis:
        histories, tasks = await run_all(client, workflow("slow", 10), 4, "refused-write")
        await redis.config_set("maxmemory", "1")
        await asyncio.sleep(2.5)
        assert all(history.outcome is None for history in histories)
    await asyncio.gather(*tasks)
    await check(client, histories)
    assert {history.outcome for history in histories} == {Outcome.SUCCEEDED}
