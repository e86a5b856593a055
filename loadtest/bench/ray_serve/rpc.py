"""The gRPC service that Ray Serve's proxy offers: one method, text in and text out."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

SERVICE = "bench.Workflows"
METHOD = f"/{SERVICE}/Run"


def add_workflows_to_server(servicer: Any, server: grpc.aio.Server) -> None:
    """What a generated ``add_..._to_server`` does; the proxy replaces the handler by its own."""
    handler = grpc.unary_unary_rpc_method_handler(
        getattr(servicer, "Run", None) or _not_here,
        request_deserializer=StringValue.FromString,
        response_serializer=StringValue.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Run": handler}),))


async def _not_here(request: StringValue, context: grpc.aio.ServicerContext[Any, Any]) -> StringValue:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{METHOD} is answered by the proxy alone")
