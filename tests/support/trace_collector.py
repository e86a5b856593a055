"""An OTLP collector for tests: keeps every span that it receives."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class TraceCollector(trace_service_pb2_grpc.TraceServiceServicer):
    """Serves on a free port of the loopback interface. ``spans``: (service name, span) pairs."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []
        self._arrived = asyncio.Event()
        self._server = grpc.aio.server()
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)
        self._port = self._server.add_insecure_port("127.0.0.1:0")

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(0)

    async def Export(
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: Any
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        for resource in request.resource_spans:
            names = [entry.value.string_value for entry in resource.resource.attributes if entry.key == "service.name"]
            for scope in resource.scope_spans:
                self.spans += [(names[0] if names else "", span) for span in scope.spans]
        self._arrived.set()
        return trace_service_pb2.ExportTraceServiceResponse()

    def of_trace(self, trace_id: str) -> list[tuple[str, Span]]:
        return [(service, span) for service, span in self.spans if span.trace_id.hex() == trace_id]

    async def wait_for(self, trace_id: str, names: Counter[str], timeout_s: float = 15.0) -> list[tuple[str, Span]]:
        """The spans of a trace, once there are as many of each of these names."""
        async with asyncio.timeout(timeout_s):
            while not names <= Counter(span.name for _, span in self.of_trace(trace_id)):
                self._arrived.clear()
                await self._arrived.wait()
        return self.of_trace(trace_id)
