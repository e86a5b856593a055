"""Workflows through all five services as processes, on emulated engines."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import psutil
import pytest
import pytest_asyncio
from whole_cluster import chain, events_of, kinds, write_config

from catenary.runtime.cluster import Cluster
from catenary.runtime.rpc import channel, error_info
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import gateway_service_pb2_grpc as rpc
from catenary.v1 import router_service_pb2, router_service_pb2_grpc, run_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


GATEWAY = {"address": "127.0.0.1:0", "grace_s": 1.0}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(folder: Path) -> AsyncIterator[Cluster]:
    async with Cluster(write_config(folder, gateway=GATEWAY)) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(cluster: Cluster) -> AsyncIterator[rpc.GatewayServiceStub]:
    async with channel(cluster.addresses.gateway) as connection:
        yield rpc.GatewayServiceStub(connection)


async def idle(cluster: Cluster) -> None:
    """Wait until no call is on any worker or in any queue."""
    async with channel(cluster.addresses.router) as connection:
        router = router_service_pb2_grpc.RouterServiceStub(connection)
        for _ in range(100):
            state = await router.GetPools(router_service_pb2.GetPoolsRequest())
            held = sum(len(replica.calls) for worker in state.workers for replica in worker.replicas)
            if held + sum(pool.num_running + pool.num_queued for pool in state.pools) == 0:
                return
            await asyncio.sleep(0.05)
    raise AssertionError("calls are left over")


async def test_a_run_streams_numbered_events_and_tokens_without_gaps(stub: rpc.GatewayServiceStub) -> None:
    events = await events_of(stub, chain())
    assert kinds(events)[0] == "run_admitted"
    assert kinds(events)[-1] == "run_finished"
    numbered = [event.sequence for event in events if event.sequence]
    assert numbered == list(range(1, len(numbered) + 1))
    for name in ("first", "second"):
        tokens = [event.call_tokens for event in events if event.call_tokens.name == name]
        assert tokens[0].offset == 0
        for before, after in itertools.pairwise(tokens):
            assert after.offset == before.offset + before.num_tokens
        assert sum(part.num_tokens for part in tokens) == 8
    finished = events[-1].run_finished
    assert finished.outcome == run_pb2.OUTCOME_SUCCEEDED
    assert finished.met
    text = "".join(event.call_tokens.text for event in events if event.call_tokens.name == "second")
    assert finished.output.string_value == text.strip() or finished.output.string_value == text


async def test_a_finished_run_is_kept_with_its_figures(stub: rpc.GatewayServiceStub) -> None:
    request = chain()
    request.run_id = "kept"
    await events_of(stub, request)
    run = (await stub.GetRun(pb.GetRunRequest(run_id="kept"))).run
    assert (run.state, run.outcome, run.met) == (run_pb2.STATE_FINISHED, run_pb2.OUTCOME_SUCCEEDED, True)
    assert [call.name for call in run.calls] == ["first", "second"]
    for call in run.calls:
        assert call.worker in ("w0", "w1")
        assert 0 <= call.queue_s <= call.ttft_s <= call.duration_s
        assert call.output_tokens == 8
        assert call.slack_before_s > 0
    listed = await stub.ListRuns(pb.ListRunsRequest(workflow="chain"))
    assert "kept" in [entry.run_id for entry in listed.runs]


async def test_the_same_submission_again_replays_the_run_and_another_is_refused(stub: rpc.GatewayServiceStub) -> None:
    request = chain()
    request.run_id = "twice"
    first = await events_of(stub, request)
    again = await events_of(stub, request)
    numbered = [event for event in first if event.sequence]
    assert again == numbered
    request.workflow.calls[0].model.prompt = "something else"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await events_of(stub, request)
    info = error_info(caught.value)
    assert (info.code, info.reason) == (grpc.StatusCode.ALREADY_EXISTS, "RUN_EXISTS")


async def test_a_watcher_gets_what_came_after_its_sequence(stub: rpc.GatewayServiceStub) -> None:
    request = chain()
    request.run_id = "watched"
    events = [event for event in await events_of(stub, request) if event.sequence]
    watching = pb.WatchRunRequest(run_id="watched", after_sequence=2)
    watched = [event async for response in stub.WatchRun(watching) for event in response.events]
    assert watched == events[2:]


async def test_a_client_that_goes_away_cancels_its_run_and_the_engine_work_stops(
    stub: rpc.GatewayServiceStub, cluster: Cluster
) -> None:
    request = chain(model="slow", tokens=400, deadline_s=120)
    request.run_id = "left"
    stream = stub.SubmitWorkflow(request)
    async for response in stream:
        if "call_tokens" in kinds(list(response.events)):
            break
    stream.cancel()
    await idle(cluster)
    run = (await stub.GetRun(pb.GetRunRequest(run_id="left"))).run
    assert run.outcome == run_pb2.OUTCOME_CANCELLED
    assert run.e2e_s < 10


async def test_a_detached_run_goes_on_without_its_client(stub: rpc.GatewayServiceStub) -> None:
    request = chain(model="slow", tokens=10)
    request.run_id, request.detach = "detached", True
    stream = stub.SubmitWorkflow(request)
    async for _ in stream:
        break
    stream.cancel()
    watching = stub.WatchRun(pb.WatchRunRequest(run_id="detached"))
    watched = [event async for response in watching for event in response.events]
    assert watched[-1].run_finished.outcome == run_pb2.OUTCOME_SUCCEEDED


async def test_a_run_can_be_cancelled_by_name(stub: rpc.GatewayServiceStub, cluster: Cluster) -> None:
    request = chain(model="slow", tokens=400, deadline_s=120)
    request.run_id = "cancelled"
    running = asyncio.create_task(events_of(stub, request))
    await asyncio.sleep(0.3)
    run = (await stub.CancelRun(pb.CancelRunRequest(run_id="cancelled", reason="enough"))).run
    assert (run.outcome, run.reason) == (run_pb2.OUTCOME_CANCELLED, "enough")
    assert (await running)[-1].run_finished.outcome == run_pb2.OUTCOME_CANCELLED
    await idle(cluster)


async def test_a_hopeless_run_is_refused_with_a_quote_and_never_runs(stub: rpc.GatewayServiceStub) -> None:
    request = chain(model="slow", tokens=100, deadline_s=0.5)
    request.run_id = "hopeless"
    events = await events_of(stub, request)
    assert kinds(events) == ["run_refused"]
    refused = events[0].run_refused
    assert refused.outcome == run_pb2.OUTCOME_REJECTED_INFEASIBLE
    assert 5 < refused.quote.deadline_s < 60
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetRun(pb.GetRunRequest(run_id="hopeless"))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_a_wrong_workflow_names_the_place(stub: rpc.GatewayServiceStub) -> None:
    request = chain()
    request.workflow.calls[1].model.prompt = "{{ frist.text }}"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await events_of(stub, request)
    info = error_info(caught.value)
    assert (info.code, info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_WORKFLOW")
    assert "calls.second.prompt" in info.message
    assert "frist" in info.message


async def test_registered_workflows_are_versioned_and_run_by_name(stub: rpc.GatewayServiceStub) -> None:
    workflow = chain().workflow
    first = await stub.RegisterWorkflow(pb.RegisterWorkflowRequest(workflow=workflow))
    again = await stub.RegisterWorkflow(pb.RegisterWorkflowRequest(workflow=workflow))
    assert (first.created, again.created, first.version) == (True, False, again.version)
    workflow.calls[0].model.prompt = "other"
    other = await stub.RegisterWorkflow(pb.RegisterWorkflowRequest(workflow=workflow))
    assert other.version != first.version
    for version in ("", first.version):
        named = pb.SubmitWorkflowRequest(workflow_name="chain", workflow_version=version)
        events = await events_of(stub, named)
        assert events[0].run_admitted.workflow_version == (version or other.version)
        assert events[-1].run_finished.outcome == run_pb2.OUTCOME_SUCCEEDED


async def test_the_prediction_of_a_workflow_is_near_what_it_takes(stub: rpc.GatewayServiceStub) -> None:
    request = chain(tokens=100)
    explained = await stub.ExplainWorkflow(pb.ExplainWorkflowRequest(workflow=request.workflow))
    events = await events_of(stub, request)
    assert events[-1].run_finished.e2e_s == pytest.approx(explained.predicted_s, rel=0.3)
    assert "emulated" in explained.basis


async def test_many_runs_at_once_all_end(stub: rpc.GatewayServiceStub, cluster: Cluster) -> None:
    results = await asyncio.gather(*(events_of(stub, chain(deadline_s=60)) for _ in range(100)))
    outcomes = {events[-1].run_finished.outcome for events in results}
    assert outcomes == {run_pb2.OUTCOME_SUCCEEDED}
    await idle(cluster)


async def test_a_killed_worker_s_calls_go_on_elsewhere_without_a_gap(
    stub: rpc.GatewayServiceStub, cluster: Cluster
) -> None:
    runs = [asyncio.create_task(events_of(stub, chain(tokens=300, deadline_s=60))) for _ in range(8)]
    await asyncio.sleep(0.3)
    plan = await cluster.plan()
    assert plan is not None
    victim = next(worker for worker in plan.workers if worker.worker_id == "w0")
    assert psutil.pid_exists(victim.pid)
    os.kill(victim.pid, signal.SIGKILL)
    for events in await asyncio.gather(*runs):
        assert events[-1].run_finished.outcome == run_pb2.OUTCOME_SUCCEEDED
        for name in ("first", "second"):
            tokens = [event.call_tokens for event in events if event.call_tokens.name == name]
            assert [part.offset for part in tokens[1:]] == [part.offset + part.num_tokens for part in tokens[:-1]]
            assert tokens[-1].offset + tokens[-1].num_tokens == 300
    await cluster.wait_ready(20)
    await idle(cluster)
