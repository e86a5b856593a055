"""gRPC servers, channels and errors, the same for every service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from catenary.runtime.parse_guard import ParseGuard

DOMAIN = "catenary"
MAX_MESSAGE_BYTES = 16 << 20
_STATUS_KEY = "grpc-status-details-bin"
_PING_MS = 2_000
_MAX_TEXT = 1_500


class RpcErrorInfo(NamedTuple):
    """What a failed call says. ``reason`` is an Outcome or another word; empty where the peer gave none."""

    code: grpc.StatusCode
    message: str
    reason: str
    metadata: dict[str, str]


def _options(max_message_bytes: int) -> list[tuple[str, int]]:
    return [
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.keepalive_time_ms", _PING_MS),
        ("grpc.keepalive_timeout_ms", 3_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]


class GrpcServer:
    """One asyncio server with health and reflection. Health is NOT_SERVING until ``set_serving(True)``."""

    def __init__(self, address: str, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._host, _, port = address.rpartition(":")
        self._requested = address
        self._port = int(port)
        self._names: list[str] = []
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(
            interceptors=[ParseGuard(_refuse_unparsed)],
            options=[
                *_options(max_message_bytes),
                ("grpc.http2.min_ping_interval_without_data_ms", _PING_MS // 2),
                ("grpc.so_reuseport", 0),
            ],
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    @property
    def port(self) -> int:
        return self._port

    @property
    def address(self) -> str:
        """host:port; the port is the bound one after ``start``."""
        return f"{self._host}:{self._port}"

    def add(self, add_to_server: Callable[[Any, Any], None], servicer: object, full_service_name: str) -> None:
        """Serve ``servicer``; ``full_service_name`` is the one with its package, e.g. "catenary.v1.RouterService"."""
        add_to_server(servicer, self._server)
        self._names.append(full_service_name)

    async def start(self) -> None:
        """Bind and listen.

        Raises:
            OSError: the address cannot be bound.
        """
        names = (*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        await self.set_serving(False)
        try:
            self._port = self._server.add_insecure_port(self._requested)
        except RuntimeError as error:
            raise OSError(f"{self._requested}: cannot be bound; is another process listening there?") from error
        await self._server.start()

    async def set_serving(self, serving: bool) -> None:
        states = health_pb2.HealthCheckResponse.ServingStatus
        state = states.SERVING if serving else states.NOT_SERVING
        for name in ("", *self._names):
            await self._health.set(name, state)

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, give running ones ``grace_s`` seconds, then cancel them."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)


async def _refuse_unparsed(context: grpc.aio.ServicerContext[Any, Any], problem: str) -> None:
    message = f"the request is no message of this service: {problem}"
    await abort(context, grpc.StatusCode.INVALID_ARGUMENT, message, "INVALID_ARGUMENT")


def channel(address: str, max_message_bytes: int = MAX_MESSAGE_BYTES) -> grpc.aio.Channel:
    """A channel that reconnects for ever, at most one second between attempts."""
    return grpc.aio.insecure_channel(
        address,
        options=[
            *_options(max_message_bytes),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1_000),
            ("grpc.enable_http_proxy", 0),
        ],
    )


async def abort(
    context: grpc.aio.ServicerContext[Any, Any],
    code: grpc.StatusCode,
    message: str,
    reason: str,
    metadata: Mapping[str, str] | None = None,
) -> NoReturn:
    """End an RPC with ``code`` and a google.rpc.ErrorInfo that carries ``reason`` and ``metadata``.

    Long texts are cut: peers take 8 KiB of trailing metadata, in which the message stands twice.
    """
    message = _cut(message)
    texts = {key: _cut(value) for key, value in (metadata or {}).items()}
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=texts))
    await context.abort(code, message, ((_STATUS_KEY, status.SerializeToString()),))
    raise AssertionError("abort returned")


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}... ({len(text)} characters)"


def error_info(error: grpc.RpcError) -> RpcErrorInfo:
    """The parts of a failed RPC, whether or not the peer sent an ErrorInfo."""
    if not isinstance(error, grpc.aio.AioRpcError):
        return RpcErrorInfo(grpc.StatusCode.UNKNOWN, str(error), "", {})
    message = error.details() or ""
    for key, value in error.trailing_metadata() or ():
        if key == _STATUS_KEY and isinstance(value, bytes):
            status = status_pb2.Status.FromString(value)
            info = error_details_pb2.ErrorInfo()
            for detail in status.details:
                if detail.Unpack(info):
                    return RpcErrorInfo(error.code(), message, info.reason, dict(info.metadata))
    return RpcErrorInfo(error.code(), message, "", {})
