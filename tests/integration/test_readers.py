"""Readers that stop reading, connections that break and clients of another release."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from histories import History
from tcp_proxy import TcpProxy
from tracked_runs import check, follow, run_all, workflow
from whole_cluster import chain, write_config

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


async def drained(stream: grpc.aio.UnaryStreamCall) -> None:  # type: ignore[type-arg]
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
        submit = connection.unary_stream("/catenary.v1.GatewayService/SubmitWorkflow")
        for content in (request.SerializeToString() + ADDED_LATER, request.SerializeToString()):
            responses = [pb.SubmitWorkflowResponse.FromString(message) async for message in submit(content)]
            finished = responses[-1].events[-1].run_finished
            assert finished.outcome == run_pb2.OUTCOME_SUCCEEDED
