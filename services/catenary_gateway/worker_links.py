"""One stream per worker: calls and aborts out, tokens in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import grpc
import structlog

from catenary.core.gateway.events import Abort, CallEnded, CallProgressed, GatewayEvent, Start
from catenary.model.outcome import FinishReason
from catenary.runtime.bell import crowd_gap_s
from catenary.runtime.clock import now, to_remaining_us
from catenary.runtime.outbox import Outbox, OutboxClosed, OutboxFull
from catenary.runtime.rpc import channel
from catenary.runtime.tasks import cancel
from catenary.runtime.wire.enums import finish_reason_from_proto
from catenary.runtime.wire.workflow import sampling_to_proto
from catenary.v1 import worker_service_pb2, worker_service_pb2_grpc

OUTBOX_LIMIT = 100_000
UNREACHABLE_PAUSE_S = 0.1

Item = Start | Abort
Handle = Callable[[GatewayEvent], None]


class WorkerLink:
    """The stream to one address of one worker. It ends with the stream; calls that it never delivered were not
    attempted, all others are lost with the worker."""

    def __init__(
        self, gateway_id: str, worker_id: str, address: str, handle: Handle, traceparent: Callable[[str], str]
    ) -> None:
        self._gateway_id = gateway_id
        self._worker_id = worker_id
        self.address = address
        self._handle = handle
        self._traceparent = traceparent
        self._outbox: Outbox[Item] = Outbox(OUTBOX_LIMIT)
        self._calls: dict[str, int] = {}
        self._heard = False
        self._log = structlog.get_logger()

    def put(self, item: Item) -> None:
        if isinstance(item, Start):
            self._calls[item.call_id] = item.attempt
        else:
            self._calls.pop(item.call_id, None)
        self._outbox.spread(crowd_gap_s(len(self._calls)))
        try:
            self._outbox.put(item)
        except (OutboxFull, OutboxClosed):
            self._outbox.close()

    async def run(self) -> None:
        try:
            async with channel(self.address) as connection:
                stub = worker_service_pb2_grpc.WorkerServiceStub(connection)
                async for response in stub.Generate(self._requests()):
                    self._heard = True
                    self._take(response)
        except grpc.RpcError as error:
            self._log.info("worker stream ended", worker_id=self._worker_id, error=str(error.code()))
        self._outbox.close()
        why, reason = FinishReason.ERROR, f"worker {self._worker_id} was lost"
        if not self._heard:
            await asyncio.sleep(UNREACHABLE_PAUSE_S)
            why, reason = FinishReason.REPLICA_DRAINING, f"worker {self._worker_id} is unreachable"
        for call_id, attempt in list(self._calls.items()):
            self._handle(CallEnded(call_id, attempt, why, reason))

    def close(self) -> None:
        self._outbox.close()

    async def _requests(self) -> AsyncIterator[worker_service_pb2.GenerateRequest]:
        yield worker_service_pb2.GenerateRequest(gateway_id=self._gateway_id)
        async for items in self._outbox:
            sent_at = now()
            request = worker_service_pb2.GenerateRequest()
            for item in items:
                if isinstance(item, Start):
                    request.starts.append(start_to_proto(item, sent_at, self._traceparent(item.call_id)))
                else:
                    request.aborts.add(call_id=item.call_id, attempt=item.attempt, run_epoch=item.run_epoch)
            yield request

    def _take(self, response: worker_service_pb2.GenerateResponse) -> None:
        for delta in response.deltas:
            self._handle(CallProgressed(delta.call_id, delta.attempt, delta.offset, list(delta.token_ids), delta.text))
        for end in response.ends:
            if self._calls.get(end.call_id) == end.attempt:
                del self._calls[end.call_id]
            self._handle(
                CallEnded(
                    call_id=end.call_id,
                    attempt=end.attempt,
                    finish_reason=finish_reason_from_proto(end.finish_reason),
                    error=end.error,
                    queue_s=end.queue_us * 1e-6,
                    prompt_tokens=end.prompt_tokens,
                    cached_tokens=end.cached_tokens,
                    output_tokens=end.output_tokens,
                    mean_batch=end.mean_batch,
                    service_s=(end.duration_us - end.queue_us) * 1e-6,
                )
            )


class WorkerLinks:
    """The links in use, opened by the first call for a worker."""

    def __init__(self, gateway_id: str, handle: Handle, traceparent: Callable[[str], str]) -> None:
        self._gateway_id = gateway_id
        self._handle = handle
        self._traceparent = traceparent
        self._links: dict[str, WorkerLink] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, action: Start) -> None:
        link = self._links.get(action.worker_id)
        if link is None or link.address != action.worker_address:
            link = self._open(action.worker_id, action.worker_address)
        link.put(action)

    def abort(self, action: Abort) -> None:
        link = self._links.get(action.worker_id)
        if link is not None:
            link.put(action)

    async def close(self) -> None:
        for link in self._links.values():
            link.close()
        await cancel(*self._tasks)

    def _open(self, worker_id: str, address: str) -> WorkerLink:
        link = WorkerLink(self._gateway_id, worker_id, address, self._handle, self._traceparent)
        self._links[worker_id] = link
        task = asyncio.create_task(self._run(worker_id, link), name=f"worker {worker_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return link

    async def _run(self, worker_id: str, link: WorkerLink) -> None:
        await link.run()
        if self._links.get(worker_id) is link:
            del self._links[worker_id]


def start_to_proto(action: Start, sent_at: float, traceparent: str) -> worker_service_pb2.StartCall:
    return worker_service_pb2.StartCall(
        call_id=action.call_id,
        attempt=action.attempt,
        run_epoch=action.run_epoch,
        router_epoch=action.router_epoch,
        model=action.model,
        prompt_token_ids=action.prompt_token_ids,
        sampling=sampling_to_proto(action.sampling),
        latest_start_us=to_remaining_us(action.latest_start, sent_at),
        offset=action.offset,
        traceparent=traceparent,
    )
