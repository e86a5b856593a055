"""Requests that are no messages are refused like any other wrong value."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError


@dataclass(frozen=True, slots=True)
class _Unparsed:
    problem: str


class _Parsed:
    """Requests up to the first that is no message; ``problem`` then says what is wrong with it."""

    def __init__(self, requests: AsyncIterator[Any]) -> None:
        self._next = requests.__anext__
        self.problem = ""

    def __aiter__(self) -> _Parsed:
        return self

    async def __anext__(self) -> Any:
        request = await self._next()
        if isinstance(request, _Unparsed):
            self.problem = request.problem
            raise StopAsyncIteration
        return request


Refuse = Callable[[grpc.aio.ServicerContext[Any, Any], str], Awaitable[Any]]


class ParseGuard(grpc.aio.ServerInterceptor):
    """gRPC answers bytes that it cannot parse with INTERNAL, the code of a defect of the server. ``refuse`` ends the
    RPC as the caller's fault instead; a stream of requests ends before the one that is no message."""

    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse
        self._guarded: dict[str, Any] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        method = handler_call_details.method
        if method not in self._guarded:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            self._guarded[method] = self._guard(handler)
        return self._guarded[method]

    def _guard(self, handler: Any) -> Any:
        def parse(content: bytes) -> Any:
            try:
                return handler.request_deserializer(content)
            except DecodeError as error:
                return _Unparsed(str(error))

        if handler.request_streaming and handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(self._both(handler), parse, handler.response_serializer)
        if handler.request_streaming:
            return handler
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(handler), parse, handler.response_serializer)
        return grpc.unary_unary_rpc_method_handler(self._unary(handler), parse, handler.response_serializer)

    def _stream(self, handler: Any) -> Any:
        async def behave(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            if isinstance(request, _Unparsed):
                await self._refuse(context, request.problem)
            await _respond(handler.unary_stream(request, context), context)

        return behave

    def _both(self, handler: Any) -> Any:
        async def behave(requests: AsyncIterator[Any], context: grpc.aio.ServicerContext[Any, Any]) -> None:
            parsed = _Parsed(requests)
            await _respond(handler.stream_stream(parsed, context), context)
            if parsed.problem:
                await self._refuse(context, parsed.problem)

        return behave

    def _unary(self, handler: Any) -> Any:
        async def behave(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            if isinstance(request, _Unparsed):
                await self._refuse(context, request.problem)
            return await handler.unary_unary(request, context)

        return behave


async def _respond(
    responses: AsyncIterator[Any] | Awaitable[None], context: grpc.aio.ServicerContext[Any, Any]
) -> None:
    """gRPC takes both kinds of methods: those that yield their responses, and those that write them to the context."""
    if isinstance(responses, AsyncIterator):
        async for response in responses:
            await context.write(response)
    else:
        await responses
