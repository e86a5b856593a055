"""Calls between the gateways' streams and the engines: the hot path of the worker."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from opentelemetry.trace import Span

from catenary.core.worker import WorkerCore
from catenary.core.worker.events import AbortCalls, CallStart, NotStarted, WorkerAction
from catenary.model.outcome import FinishReason
from catenary.runtime.clock import from_remaining_us, now
from catenary.runtime.wire.enums import FINISH_REASON_TO_PROTO
from catenary.runtime.wire.workflow import sampling_from_proto
from catenary.v1 import worker_service_pb2 as pb
from catenary_worker.engine import Engine, EngineCall, EngineEnd
from catenary_worker.spans import begin_span, end_span
from catenary_worker.streams import GatewayStream


@dataclass(slots=True)
class _Route:
    """Where a call's tokens go. ``offset`` counts the call's output tokens so far, earlier attempts included."""

    stream: GatewayStream
    model: str
    call_id: str
    attempt: int
    offset: int
    span: Span | None
    has_begun: bool = False


class CallExchange:
    """Starts calls on engines, sends what they produce to the stream they came from, aborts what nobody waits for."""

    def __init__(
        self,
        core: WorkerCore,
        engines: Mapping[str, Engine],
        perform: Callable[[list[WorkerAction]], None],
    ) -> None:
        """``perform`` does what the core wants; ``on_change`` is called when calls began or ended, ``on_end`` with the
        model of each call that ended."""
        self._core = core
        self._engines = engines
        self._perform = perform
        self.on_change: Callable[[], None] = lambda: None
        self.on_end: Callable[[str, FinishReason, EngineEnd], None] = lambda model, reason, end: None
        self._routes: dict[int, _Route] = {}
        self._stream_ids = itertools.count(1)
        self._streams: set[GatewayStream] = set()

    def open_stream(self) -> GatewayStream:
        stream = GatewayStream(next(self._stream_ids))
        self._streams.add(stream)
        return stream

    def close_stream(self, stream: GatewayStream) -> None:
        """Nobody hears of the stream's calls any more."""
        stream.close()
        self._streams.discard(stream)
        self._perform(self._core.stream_left(stream.stream_id, f"the stream of gateway {stream.gateway_id!r} ended"))

    def close(self) -> None:
        """End every stream once what waits in it is out."""
        for stream in self._streams:
            stream.close()

    def take(self, stream: GatewayStream, request: pb.GenerateRequest) -> None:
        """Aborts first: a seat that they free can serve a start of the same message."""
        arrived = now()
        stream.gateway_id = request.gateway_id or stream.gateway_id
        for abort in request.aborts:
            self._perform(self._core.abort_call(abort.call_id, abort.attempt, abort.run_epoch))
        for start in request.starts:
            self._start(stream, start, arrived)
        self.on_change()

    def running(self, handle: int) -> None:
        self._core.call_running(handle)

    def delta(self, handle: int, token_ids: Sequence[int], text: str) -> None:
        route = self._routes.get(handle)
        if route is None:
            return
        self._core.call_tokens(handle, len(token_ids))
        route.stream.delta(route.call_id, route.attempt, route.offset, token_ids, text, is_first=not route.has_begun)
        route.has_begun = True
        route.offset += len(token_ids)

    def ended(self, handle: int, end: EngineEnd) -> None:
        route = self._routes.pop(handle, None)
        ended, actions = self._core.call_ended(handle, end.reason, end.error, now())
        if route is None or ended is None:
            return
        route.stream.num_calls -= 1
        route.stream.end(_end_message(route, end, ended.reason, ended.error))
        end_span(route.span, end, ended.reason)
        self.on_end(route.model, ended.reason, end)
        self.on_change()
        self._perform(actions)

    def engine_of(self, handle: int) -> Engine | None:
        route = self._routes.get(handle)
        return self._engines.get(route.model) if route is not None else None

    def lose(self, model: str, error: str) -> None:
        """End every call of an engine that has died without a word on them."""
        for handle in [handle for handle, route in self._routes.items() if route.model == model]:
            self.ended(handle, EngineEnd(FinishReason.ERROR, error))

    def _start(self, stream: GatewayStream, message: pb.StartCall, arrived: float) -> None:
        if message.offset > len(message.prompt_token_ids):
            error = f"offset: is {message.offset}, over the {len(message.prompt_token_ids)} tokens of the prompt"
            stream.end(_refusal(message, FinishReason.INVALID, error))
            return
        decision = self._core.start_call(
            CallStart(
                gateway_id=stream.gateway_id,
                stream_id=stream.stream_id,
                call_id=message.call_id,
                attempt=message.attempt,
                run_epoch=message.run_epoch,
                router_epoch=message.router_epoch,
                model=message.model,
                prompt_tokens=len(message.prompt_token_ids),
                lost_after=from_remaining_us(message.lost_after_us, arrived) if message.lost_after_us else None,
            )
        )
        if decision.aborts:
            self._perform([AbortCalls(decision.aborts)])
        if isinstance(decision, NotStarted):
            stream.end(_refusal(message, decision.reason, decision.error))
            return
        span, traceparent = begin_span(message)
        self._routes[decision.handle] = _Route(
            stream, message.model, message.call_id, message.attempt, message.offset, span
        )
        stream.num_calls += 1
        self._engines[message.model].submit(
            EngineCall(
                handle=decision.handle,
                call_id=message.call_id,
                prompt=message.prompt_token_ids,
                sampling=sampling_from_proto(message.sampling),
                latest_start=from_remaining_us(message.latest_start_us, arrived),
                offset=message.offset,
                traceparent=traceparent,
            )
        )


def _refusal(message: pb.StartCall, reason: FinishReason, error: str) -> pb.CallEnd:
    finish_reason = FINISH_REASON_TO_PROTO[reason]
    return pb.CallEnd(call_id=message.call_id, attempt=message.attempt, finish_reason=finish_reason, error=error)


def _end_message(route: _Route, end: EngineEnd, reason: FinishReason, error: str) -> pb.CallEnd:
    return pb.CallEnd(
        call_id=route.call_id,
        attempt=route.attempt,
        finish_reason=f"FINISH_REASON_{reason}",
        error=error,
        queue_us=round(end.queue_s * 1e6),
        ttft_us=round(end.ttft_s * 1e6),
        duration_us=round(end.duration_s * 1e6),
        prompt_tokens=end.prompt_tokens,
        cached_tokens=end.cached_tokens,
        output_tokens=end.output_tokens,
        mean_batch=end.mean_batch,
    )
