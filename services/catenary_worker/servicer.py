"""catenary.v1.WorkerService on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from catenary.model.worker import SleepMode
from catenary.runtime.rpc import abort
from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.worker_service_pb2_grpc import WorkerServiceServicer
from catenary_worker.calls import CallExchange
from catenary_worker.commands import EngineCommands
from catenary_worker.engine_runner import CommandRefused
from catenary_worker.streams import GatewayStream

Context = grpc.aio.ServicerContext[Any, Any]

_SLEEP_MODES = {
    pb.SLEEP_MODE_UNSPECIFIED: SleepMode.DRAIN,
    pb.SLEEP_MODE_DRAIN: SleepMode.DRAIN,
    pb.SLEEP_MODE_FREEZE: SleepMode.FREEZE,
    pb.SLEEP_MODE_REPLAY: SleepMode.REPLAY,
}


class WorkerServicer(WorkerServiceServicer):
    """Each RPC hands over to the calls or to the commands; what does not fit ends with FAILED_PRECONDITION."""

    def __init__(self, calls: CallExchange, commands: EngineCommands) -> None:
        self._calls = calls
        self._commands = commands

    async def Generate(
        self, requests: AsyncIterator[pb.GenerateRequest], context: Context
    ) -> AsyncIterator[pb.GenerateResponse]:
        """A stream that breaks aborts its calls; one that the gateway half-closes ends with its last call."""
        stream = self._calls.open_stream()
        reader = asyncio.create_task(self._read(requests, stream), name="gateway stream")
        try:
            async for response in stream:
                yield response
            if stream.overrun:
                message = "the gateway does not read: too many deltas wait for it"
                await abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, message, "SLOW_READER")
            if reader.done():
                reader.result()
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            self._calls.close_stream(stream)

    async def _read(self, requests: AsyncIterator[pb.GenerateRequest], stream: GatewayStream) -> None:
        """A request that cannot be taken ends the stream: the gateway places its calls again."""
        try:
            async for request in requests:
                self._calls.take(stream, request)
        except BaseException:
            stream.close()
            raise
        stream.end_with_last_call()

    async def WatchSnapshots(
        self, request: pb.WatchSnapshotsRequest, context: Context
    ) -> AsyncIterator[pb.WatchSnapshotsResponse]:
        async for response in self._commands.watch(request.router_epoch):
            yield response

    async def LoadModel(self, request: pb.LoadModelRequest, context: Context) -> pb.LoadModelResponse:
        try:
            replica = await self._commands.load(request.model, request.expected_generation)
        except CommandRefused as refusal:
            await _refuse(context, refusal)
        return pb.LoadModelResponse(replica=replica)

    async def PrefetchModel(self, request: pb.PrefetchModelRequest, context: Context) -> pb.PrefetchModelResponse:
        try:
            num_bytes, duration_s = await self._commands.prefetch(request.model, request.cold)
        except CommandRefused as refusal:
            await _refuse(context, refusal)
        return pb.PrefetchModelResponse(bytes=num_bytes, duration_s=duration_s)

    async def SleepModel(self, request: pb.SleepModelRequest, context: Context) -> pb.SleepModelResponse:
        mode = _SLEEP_MODES.get(request.mode, SleepMode.DRAIN)
        try:
            replica = await self._commands.sleep(request.model, request.expected_generation, request.level, mode)
        except CommandRefused as refusal:
            await _refuse(context, refusal)
        return pb.SleepModelResponse(replica=replica)

    async def WakeModel(self, request: pb.WakeModelRequest, context: Context) -> pb.WakeModelResponse:
        try:
            replica = await self._commands.wake(request.model, request.expected_generation)
        except CommandRefused as refusal:
            await _refuse(context, refusal)
        return pb.WakeModelResponse(replica=replica)

    async def UnloadModel(self, request: pb.UnloadModelRequest, context: Context) -> pb.UnloadModelResponse:
        try:
            replica = await self._commands.unload(request.model, request.expected_generation)
        except CommandRefused as refusal:
            await _refuse(context, refusal)
        return pb.UnloadModelResponse(replica=replica)

    async def Drain(self, request: pb.DrainRequest, context: Context) -> pb.DrainResponse:
        return pb.DrainResponse(num_calls=self._commands.drain())

    async def ReserveReplica(self, request: pb.ReserveReplicaRequest, context: Context) -> pb.ReserveReplicaResponse:
        try:
            replica = await self._commands.reserve(request.model, request.reserved, request.holder)
        except CommandRefused as refusal:
            await _refuse(context, refusal)
        return pb.ReserveReplicaResponse(replica=replica)


async def _refuse(context: Context, refusal: CommandRefused) -> None:
    await abort(context, grpc.StatusCode.FAILED_PRECONDITION, str(refusal), "FAILED_PRECONDITION")
