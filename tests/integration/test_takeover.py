"""Runs outlive their gateway: another one, or the same one started again, goes on with them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from extra_service import extra_service
from histories import History, violations
from tracked_runs import check, follow, run_all, workflow
from whole_cluster import chain, write_config

from catenary.client import CatenaryError, Client, Reattach, RunHandle
from catenary.model.outcome import Outcome
from catenary.runtime.cluster import Cluster
from catenary.runtime.rpc import channel
from catenary.v1.gateway_service_pb2_grpc import GatewayServiceStub

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    gateway = {"address": "127.0.0.1:0", "grace_s": 4.0}
    return write_config(tmp_path_factory.mktemp("adoption"), gateway=gateway)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(config: Path) -> AsyncIterator[Cluster]:
    async with Cluster(config) as cluster:
        yield cluster


async def test_a_killed_gateway_s_runs_go_on_at_another_one(cluster: Cluster, config: Path) -> None:
    async with (
        extra_service(cluster, "gateway", "gateway-1", config) as (victim, address),
        Client([address, cluster.addresses.gateway]) as client,
    ):
        histories, tasks = await run_all(client, workflow(tokens=400), 12, "killed")
        await asyncio.sleep(0.5)
        os.kill(victim.pid, signal.SIGKILL)
        await asyncio.gather(*tasks)
        await check(client, histories)


async def test_a_gateway_started_again_goes_on_with_its_own_runs(cluster: Cluster) -> None:
    async with Client(cluster.addresses.gateway) as client:
        histories, tasks = await run_all(client, workflow(tokens=400), 12, "restarted")
        await asyncio.sleep(0.5)
        os.kill(cluster.pids["gateway"], signal.SIGKILL)
        killed_at = time.monotonic()
        await asyncio.gather(*tasks)
        assert time.monotonic() - killed_at < 30
        await check(client, histories)


async def test_a_gateway_that_is_asked_to_stop_hands_its_runs_over(cluster: Cluster, config: Path) -> None:
    async with (
        extra_service(cluster, "gateway", "gateway-2", config) as (leaving, address),
        Client([address, cluster.addresses.gateway]) as client,
    ):
        histories, tasks = await run_all(client, workflow("slow", 60), 6, "leaving")
        await asyncio.sleep(0.3)
        await leaving.stop(10.0)
        await asyncio.gather(*tasks)
        await check(client, histories)


async def test_a_gateway_that_was_paused_is_fenced_off(cluster: Cluster, config: Path) -> None:
    """Its clients stay connected to it; when it goes on, it sends them to the new owner."""
    async with (
        extra_service(cluster, "gateway", "gateway-3", config) as (zombie, address),
        Client([address, cluster.addresses.gateway]) as client,
    ):
        histories, tasks = await run_all(client, workflow("slow", 100), 6, "paused")
        await asyncio.sleep(0.5)
        os.kill(zombie.pid, signal.SIGSTOP)
        await asyncio.sleep(3.5)
        os.kill(zombie.pid, signal.SIGCONT)
        await asyncio.gather(*tasks)
        await check(client, histories)


async def test_a_run_can_be_followed_cancelled_and_read_at_any_gateway(cluster: Cluster, config: Path) -> None:
    async with (
        extra_service(cluster, "gateway", "gateway-4", config) as (_, address),
        Client(address) as owner,
        Client(cluster.addresses.gateway) as other,
    ):
        await owner.submit(workflow("slow", 200), run_id="elsewhere", detach=True)
        assert (await other.get("elsewhere")).owner == "gateway-4"
        watching = await other.watch("elsewhere", tokens=True)
        history = History("elsewhere")
        task = asyncio.create_task(follow(watching, history))
        await asyncio.sleep(0.5)
        run = await other.cancel("elsewhere", "enough")
        await task
        assert (run.outcome, run.reason, history.outcome) == (Outcome.CANCELLED, "enough", Outcome.CANCELLED)
        assert violations([history], {"elsewhere": Outcome.CANCELLED}) == []


async def test_the_same_submission_at_another_gateway_attaches(cluster: Cluster, config: Path) -> None:
    async with (
        extra_service(cluster, "gateway", "gateway-5", config) as (_, address),
        Client(address) as owner,
        Client(cluster.addresses.gateway) as other,
    ):
        await owner.submit(workflow("slow", 40), run_id="again", detach=True)
        handle = await other.submit(workflow("slow", 40), run_id="again", tokens=True, detach=True)
        history = History("again")
        await follow(handle, history)
        await check(other, [history])
        with pytest.raises(CatenaryError) as caught:
            await other.submit(workflow("slow", 41), run_id="again")
        assert caught.value.reason == "RUN_EXISTS"


async def test_a_run_whose_client_does_not_come_back_is_cancelled_after_the_grace_period(
    cluster: Cluster, config: Path
) -> None:
    async with extra_service(cluster, "gateway", "gateway-6", config) as (victim, address), channel(address) as opened:
        request = chain(model="slow", tokens=400, deadline_s=120)
        request.run_id = "forsaken"
        stream = GatewayServiceStub(opened).SubmitWorkflow(request)
        await stream.read()
        kept = chain(model="slow", tokens=100, deadline_s=120)
        kept.run_id, kept.detach = "outlives", True
        await GatewayServiceStub(opened).SubmitWorkflow(kept).read()
        os.kill(victim.pid, signal.SIGKILL)
        stream.cancel()
    async with Client(cluster.addresses.gateway, reattach=Reattach(attempts=30)) as client:
        handle = await _watch_when_adopted(client, "outlives")
        run = await handle.result()
        assert run.outcome is Outcome.SUCCEEDED
        left = await client.get("forsaken")
        assert (left.outcome, left.reason) == (Outcome.CANCELLED, "no client came back within 4 s")


async def _watch_when_adopted(client: Client, run_id: str) -> RunHandle:
    for _ in range(100):
        try:
            return await client.watch(run_id)
        except CatenaryError as error:
            if error.reason != "OWNER_LOST":
                raise
            await asyncio.sleep(0.1)
    raise AssertionError("nobody has taken the run over")
