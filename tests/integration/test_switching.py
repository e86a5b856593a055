"""The provisioner switches models on shared workers of a loopback cluster: nothing is lost or repeated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from shared_workers import MODELS, write_config
from whole_cluster import chain, events_of, kinds

from catenary.runtime.cluster import Cluster
from catenary.runtime.rpc import channel
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import gateway_service_pb2_grpc as rpc
from catenary.v1 import run_pb2
from catenary.v1.run_pb2 import OUTCOME_REJECTED_INFEASIBLE, OUTCOME_SUCCEEDED
from catenary.v1.worker_service_pb2 import REPLICA_STATE_AWAKE

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKENS = 40


def configured(folder: Path) -> Path:
    """Three models on each of two workers, one awake on each: "left" at first."""
    return write_config(folder, TOKENS, ["w0", "w1"], provisioner={"hysteresis_s": 0.3, "dwell_s": 1.0})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    cluster = Cluster(configured(tmp_path_factory.mktemp("cluster")))
    await cluster.start()
    try:
        await asyncio.wait_for(_until_awake(cluster, {"left": 2}), 20)
        yield cluster
    finally:
        await cluster.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(cluster: Cluster) -> AsyncIterator[rpc.GatewayServiceStub]:
    async with channel(cluster.addresses.gateway) as connection:
        yield rpc.GatewayServiceStub(connection)


async def awake(cluster: Cluster) -> dict[str, int]:
    plan = await cluster.plan()
    found: dict[str, int] = {}
    for worker in plan.workers if plan is not None else ():
        for replica in worker.snapshot.replicas:
            if replica.state == REPLICA_STATE_AWAKE:
                found[replica.model] = found.get(replica.model, 0) + 1
    return found


async def _until_awake(cluster: Cluster, wanted: dict[str, int]) -> None:
    while True:
        if await awake(cluster) == wanted:
            return
        await asyncio.sleep(0.05)


def check_tokens(events: list[run_pb2.RunEvent]) -> None:
    """Each call's tokens arrive once each, in order, with no gap, whatever its replica went through."""
    have: dict[str, int] = {}
    for event in events:
        if event.HasField("call_tokens"):
            tokens = event.call_tokens
            name = tokens.name
            assert tokens.offset == have.get(name, 0)
            have[name] = tokens.offset + tokens.num_tokens
        assert not event.HasField("call_restarted")
    assert have == {"first": TOKENS, "second": TOKENS}


async def finished(stub: rpc.GatewayServiceStub, request: pb.SubmitWorkflowRequest) -> list[run_pb2.RunEvent]:
    events = await events_of(stub, request)
    assert kinds(events)[-1] == "run_finished", events[-1]
    assert events[-1].run_finished.outcome == OUTCOME_SUCCEEDED, events[-1]
    return events


@pytest.mark.timeout(60)
async def test_a_run_that_cannot_wait_for_a_sleeping_model_is_refused_with_a_quote(
    stub: rpc.GatewayServiceStub,
) -> None:
    events = await events_of(stub, chain(deadline_s=0.1, model="right", tokens=TOKENS))
    assert kinds(events) == ["run_refused"]
    assert events[0].run_refused.outcome == OUTCOME_REJECTED_INFEASIBLE
    assert events[0].run_refused.quote.deadline_s > 0.1


@pytest.mark.timeout(60)
async def test_a_call_for_a_sleeping_model_waits_while_it_wakes(cluster: Cluster, stub: rpc.GatewayServiceStub) -> None:
    check_tokens(await finished(stub, chain(deadline_s=20, model="right", tokens=TOKENS)))
    assert (await awake(cluster)).get("right")


@pytest.mark.timeout(90)
async def test_switches_under_load_lose_no_run_and_repeat_no_token(
    cluster: Cluster, stub: rpc.GatewayServiceStub
) -> None:
    seen: set[frozenset[tuple[str, int]]] = set()

    async def watch() -> None:
        while True:
            seen.add(frozenset((await awake(cluster)).items()))
            await asyncio.sleep(0.05)

    watching = asyncio.create_task(watch())
    try:
        runs = []
        for number in range(90):
            runs.append(asyncio.create_task(finished(stub, chain(30, MODELS[number // 10 % 3], TOKENS))))
            await asyncio.sleep(0.05)
        for events in await asyncio.gather(*runs):
            check_tokens(events)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert {model for state in seen for model, _ in state} == set(MODELS)
    assert len(seen) > 2


@pytest.mark.timeout(30)
async def test_the_plan_tells_what_it_did_and_why(cluster: Cluster) -> None:
    plan = await cluster.plan()
    assert plan is not None
    assert plan.policy == "risk"
    assert any("predicted misses" in reason for reason in plan.reasons)
