"""One trace per run, across all services that the run passes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from trace_collector import TraceCollector
from whole_cluster import chain, events_of, write_config

from catenary.runtime.cluster import Cluster
from catenary.runtime.rpc import channel
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import gateway_service_pb2_grpc as rpc


async def test_a_run_is_one_trace_through_gateway_router_and_worker(tmp_path: Path) -> None:
    collector = TraceCollector()
    await collector.start()
    config = write_config(tmp_path, telemetry={"otlp_endpoint": collector.endpoint})
    async with Cluster(config) as cluster, channel(cluster.addresses.gateway) as connection:
        stub = rpc.GatewayServiceStub(connection)
        request = chain()
        request.run_id = "traced"
        await events_of(stub, request)
        run = (await stub.GetRun(pb.GetRunRequest(run_id="traced"))).run
        spans = await collector.wait_for(
            run.trace_id, Counter({"run chain": 1, "chat fast": 2, "route": 2, "generate fast": 2})
        )
    await collector.stop()
    by_id = {span.span_id: span for _, span in spans}
    names = [span.name for _, span in spans]
    assert names.count("run chain") == 1
    for name in ("chat fast", "route", "generate fast"):
        assert names.count(name) == 2
    for _, span in spans:
        if span.name in ("route", "generate fast"):
            assert by_id[span.parent_span_id].name == "chat fast"
        elif span.name == "chat fast":
            assert by_id[span.parent_span_id].name == "run chain"
            attributes = {entry.key: entry.value for entry in span.attributes}
            assert attributes["catenary.slack_s"].double_value > 0
            assert attributes["gen_ai.request.model"].string_value == "fast"
            assert attributes["gen_ai.usage.output_tokens"].int_value == 8
