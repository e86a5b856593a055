"""A stand-in for the trace viewer: OTLP in on port 4317, ``GET /api/traces/ID`` on 16686 in Jaeger's form."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

MAX_TRACES = 1000


class Traces(trace_service_pb2_grpc.TraceServiceServicer):
    """The newest traces: names of spans by trace id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: OrderedDict[str, list[str]] = OrderedDict()

    def Export(self, request: Any, context: Any) -> Any:
        spans = [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]
        with self._lock:
            for span in spans:
                self._names.setdefault(span.trace_id.hex(), []).append(span.name)
            while len(self._names) > MAX_TRACES:
                self._names.popitem(last=False)
        return trace_service_pb2.ExportTraceServiceResponse()

    def names(self, trace_id: str) -> list[str]:
        with self._lock:
            return list(self._names.get(trace_id, ()))


def handler(traces: Traces) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            trace_id = self.path.removeprefix("/api/traces/")
            spans = [{"operationName": name} for name in traces.names(trace_id)]
            body = json.dumps({"data": [{"traceID": trace_id, "spans": spans}] if spans else []}).encode()
            self.send_response(200 if spans else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is logged."""

    return Handler


if __name__ == "__main__":
    store = Traces()
    server = grpc.server(ThreadPoolExecutor(4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(store, server)
    server.add_insecure_port("0.0.0.0:4317")
    server.start()
    ThreadingHTTPServer(("0.0.0.0", 16686), handler(store)).serve_forever()
