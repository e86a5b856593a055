"""Readers that stop reading, connections that break and clients of another release."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from histories import History
from tcp_proxy import TcpProxy
from tracked_runs import check, follow, run_all, workflow
from whole_cluster import chain, events_of, write_config

from catenary.client import Client
from catenary.model.outcome import Outcome
from catenary.runtime.cluster import Cluster
from catenary.runtime.rpc import channel, error_info
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import gateway_service_pb2_grpc as rpc
from catenary.v1 import run_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = {"address": "127.0.0.1:0", "event_buffer": 64, "grace_s": 2.0}
NARROW = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1_024), ("grpc.enable_http_proxy", 0)]
ADDED_LATER = b"\xe2\x76\x01x"  # field 1900, length-delimited, as the next release might have it


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with Cluster(write_config(tmp_path_factory.mktemp("readers"), gateway=GATEWAY)) as cluster:
        yield cluster


async def drained(stream: grpc.aio.UnaryStreamCall[Any, Any]) -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass


async def test_a_reader_that_stops_loses_its_stream_and_not_its_run(cluster: Cluster) -> None:
    request = chain(tokens=900, deadline_s=60)
    request.run_id = "unread"
    address = cluster.addresses.gateway
    async with grpc.aio.insecure_channel(address, NARROW) as connection, Client(address) as client:
        stream = rpc.GatewayServiceStub(connection).SubmitWorkflow(request)
        await stream.read()
        others = await asyncio.gather(*(client.run(workflow(tokens=20), deadline_s=10) for _ in range(10)))
        assert all(run.met for run in others)
        history = History("unread")
        await follow(await client.watch("unread", tokens=False), history)
        assert history.outcome is Outcome.SUCCEEDED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await drained(stream)
        assert error_info(caught.value).reason == "READER_TOO_SLOW"


async def test_readers_that_stop_hold_up_nobody_on_their_own_connection_and_can_go_on_later(cluster: Cluster) -> None:
    """Every stream of this test is on one HTTP/2 connection, whose windows the unread ones fill."""
    unread = [f"stopped-{number}" for number in range(8)]
    async with grpc.aio.insecure_channel(cluster.addresses.gateway, NARROW) as connection:
        stub = rpc.GatewayServiceStub(connection)
        streams = {}
        for run_id in unread:
            request = chain(tokens=600, deadline_s=60)
            request.run_id = run_id
            streams[run_id] = stub.SubmitWorkflow(request)
            await streams[run_id].read()
        began = time.monotonic()
        others = await asyncio.gather(*(events_of(stub, chain(tokens=20, deadline_s=5)) for _ in range(20)))
        assert all(events[-1].run_finished.met for events in others)
        assert time.monotonic() - began < 5
        for run_id, stream in streams.items():
            await ended_well(stub, run_id, 0)
            seen, reason = await what_came(stream)
            assert reason == "READER_TOO_SLOW"
            rest = await ended_well(stub, run_id, seen)
            assert [event.sequence for event in rest] == list(range(seen + 1, rest[-1].sequence + 1))


async def ended_well(stub: rpc.GatewayServiceStub, run_id: str, after: int) -> list[run_pb2.RunEvent]:
    """The numbered events after ``after`` of a run that succeeds."""
    request = pb.WatchRunRequest(run_id=run_id, after_sequence=after)
    events = [event async for response in stub.WatchRun(request) for event in response.events]
    assert events[-1].run_finished.outcome == run_pb2.OUTCOME_SUCCEEDED
    return events


async def what_came(stream: grpc.aio.UnaryStreamCall[Any, Any]) -> tuple[int, str]:
    """The last event number that an unread stream had for its reader, and the reason of its end."""
    seen = 0
    response: Any
    try:
        while (response := await stream.read()) is not grpc.aio.EOF:
            seen = max([seen, *(event.sequence for event in response.events)])
    except grpc.aio.AioRpcError as error:
        return seen, error_info(error).reason
    return seen, ""


async def test_a_cut_connection_costs_no_run_and_no_event(cluster: Cluster) -> None:
    async with TcpProxy(cluster.addresses.gateway) as proxy, Client(proxy.address) as client:
        histories, tasks = await run_all(client, workflow("slow", 20), 6, "cut")
        for _ in range(3):
            await asyncio.sleep(0.3)
            await proxy.cut(0.2)
        await asyncio.gather(*tasks)
        await check(client, histories)


async def test_half_open_connections_disturb_nobody(cluster: Cluster) -> None:
    host, _, port = cluster.addresses.gateway.rpartition(":")
    opened = [await asyncio.open_connection(host, int(port)) for _ in range(100)]
    for number, (_, writer) in enumerate(opened):
        writer.write((b"", b"GET / HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 64)[number % 4])
    async with Client(cluster.addresses.gateway) as client:
        began = time.monotonic()
        assert (await client.run(workflow(tokens=4))).succeeded
        assert time.monotonic() - began < 5
    for _, writer in opened:
        writer.transport.abort()


async def test_a_client_of_the_next_release_is_served_and_attaches_by_the_same_id(cluster: Cluster) -> None:
    request = chain(tokens=4)
    request.run_id = "of-the-next"
    async with channel(cluster.addresses.gateway) as connection:
        submit: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = connection.unary_stream(
            "/catenary.v1.GatewayService/SubmitWorkflow"
        )
        for content in (request.SerializeToString() + ADDED_LATER, request.SerializeToString()):
            responses = [pb.SubmitWorkflowResponse.FromString(message) async for message in submit(content)]
            finished = responses[-1].events[-1].run_finished
            assert finished.outcome == run_pb2.OUTCOME_SUCCEEDED
