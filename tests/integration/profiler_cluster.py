"""A worker with one emulated engine and a provisioner for it, as small as the profiler needs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from catenary.model.profile import EngineProfile
from catenary.model.worker import DROPPED
from catenary.runtime import clock
from catenary.runtime.rpc import GrpcServer, abort
from catenary.simulation.engine import EngineModel
from catenary.simulation.sequence import FinishedCall
from catenary.v1 import provisioner_service_pb2 as provisioner_pb
from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.provisioner_service_pb2_grpc import (
    ProvisionerServiceServicer,
    add_ProvisionerServiceServicer_to_server,
)
from catenary.v1.worker_service_pb2_grpc import WorkerServiceServicer, add_WorkerServiceServicer_to_server

Context = grpc.aio.ServicerContext[Any, Any]


class SmallWorker(WorkerServiceServicer):
    """Runs calls of ``profile.model`` on an engine model in real time; calls after ``fail_after`` fail."""

    def __init__(self, profile: EngineProfile) -> None:
        self.replica = pb.ReplicaSnapshot(
            model=profile.model,
            state=pb.REPLICA_STATE_AWAKE,
            max_num_seqs=profile.max_num_seqs,
            max_model_len=1500,
            engine="emulated",
            start_s=1.5,
            weights_bytes=1000,
        )
        self.engine = EngineModel(profile)
        self.told: dict[str, int] = {}
        self.prompts: list[tuple[int, ...]] = []
        self.aborted: list[str] = []
        self.fail_after = 1_000_000
        self.num_sleeps = 0
        self.cold_reads = 0
        self.level = 0
        self.can_sleep = True

    async def WatchSnapshots(
        self, request: pb.WatchSnapshotsRequest, context: Context
    ) -> AsyncIterator[pb.WatchSnapshotsResponse]:
        while True:
            snapshot = pb.WorkerSnapshot(
                worker_id="w0", accelerator="Test CPU 1", memory_total_bytes=5000, memory_free_bytes=2000
            )
            snapshot.replicas.append(self.replica)
            yield pb.WatchSnapshotsResponse(snapshot=snapshot)
            await asyncio.sleep(0.02)

    async def SleepModel(self, request: pb.SleepModelRequest, context: Context) -> pb.SleepModelResponse:
        """The first sleep takes 60 ms, later ones 10 ms."""
        if not self.can_sleep:
            await abort(context, grpc.StatusCode.FAILED_PRECONDITION, "it cannot sleep", "FAILED_PRECONDITION")
        await asyncio.sleep(0.01 if self.num_sleeps else 0.06)
        self.num_sleeps += 1
        self.level = request.level
        return pb.SleepModelResponse()

    async def WakeModel(self, request: pb.WakeModelRequest, context: Context) -> pb.WakeModelResponse:
        await asyncio.sleep(0.08 if self.level == DROPPED else 0.02)
        return pb.WakeModelResponse()

    async def PrefetchModel(self, request: pb.PrefetchModelRequest, context: Context) -> pb.PrefetchModelResponse:
        self.cold_reads += request.cold
        return pb.PrefetchModelResponse(bytes=self.replica.weights_bytes, duration_s=0.5)

    async def Generate(
        self, requests: AsyncIterator[pb.GenerateRequest], context: Context
    ) -> AsyncIterator[pb.GenerateResponse]:
        arrived: asyncio.Queue[pb.GenerateRequest] = asyncio.Queue()
        reading = asyncio.create_task(_forward(requests, arrived))
        try:
            while True:
                now = clock.now()
                next_s = self.engine.next_step(now)
                try:
                    request = await asyncio.wait_for(arrived.get(), None if next_s is None else max(0, next_s - now))
                except TimeoutError:
                    yield self._advance()
                else:
                    yield self._take(request)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def _take(self, request: pb.GenerateRequest) -> pb.GenerateResponse:
        for start in request.starts:
            self.prompts.append(tuple(start.prompt_token_ids))
            tokens = start.sampling.max_tokens
            self.engine.submit(start.call_id, len(start.prompt_token_ids), tokens, 0.0, clock.now())
        for taken_back in request.aborts:
            self.engine.abort(taken_back.call_id, clock.now())
            self.aborted.append(taken_back.call_id)
        aborted = pb.FINISH_REASON_ABORTED
        return pb.GenerateResponse(ends=[pb.CallEnd(call_id=a.call_id, finish_reason=aborted) for a in request.aborts])

    def _advance(self) -> pb.GenerateResponse:
        finished = self.engine.advance(clock.now()).finished
        progress = {str(call_id): tokens for call_id, tokens in self.engine.progress()}
        deltas = [
            pb.CallDelta(call_id=call_id, attempt=1, token_ids=[0] * (tokens - self.told.get(call_id, 0)))
            for call_id, tokens in progress.items()
        ]
        self.told = progress
        return pb.GenerateResponse(deltas=deltas, ends=[self._end(call) for call in finished if not call.aborted])

    def _end(self, call: FinishedCall) -> pb.CallEnd:
        failed = len(self.prompts) > self.fail_after
        return pb.CallEnd(
            call_id=str(call.call_id),
            attempt=1,
            finish_reason=pb.FINISH_REASON_ERROR if failed else pb.FINISH_REASON_LENGTH,
            error="out of memory" if failed else "",
            ttft_us=round(call.ttft_s * 1e6),
            duration_us=round(call.duration_s * 1e6),
            prompt_tokens=call.prompt_tokens,
            output_tokens=call.output_tokens,
        )


async def _forward(requests: AsyncIterator[pb.GenerateRequest], arrived: asyncio.Queue[pb.GenerateRequest]) -> None:
    async for request in requests:
        arrived.put_nowait(request)


class SmallProvisioner(ProvisionerServiceServicer):
    """Gives the replica of one worker to one holder at a time."""

    def __init__(self, worker: SmallWorker, address: str) -> None:
        self.worker = worker
        self.address = address
        self.holder = ""
        self.num_granted = 0
        self.released = asyncio.Event()

    async def AcquireReplica(
        self, request: provisioner_pb.AcquireReplicaRequest, context: Context
    ) -> provisioner_pb.AcquireReplicaResponse:
        if self.holder:
            await abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, f"held by {self.holder}", "BUSY")
        self.holder = request.holder
        self.num_granted += 1
        self.worker.replica.reserved = True
        return provisioner_pb.AcquireReplicaResponse(worker_id="w0", worker_address=self.address)

    async def ReleaseReplica(
        self, request: provisioner_pb.ReleaseReplicaRequest, context: Context
    ) -> provisioner_pb.ReleaseReplicaResponse:
        assert (request.holder, request.worker_id) == (self.holder, "w0")
        self.holder = ""
        self.worker.replica.reserved = False
        self.released.set()
        return provisioner_pb.ReleaseReplicaResponse()


async def start_cluster(profile: EngineProfile) -> tuple[GrpcServer, SmallProvisioner]:
    """One server with both services; stop it after use."""
    server = GrpcServer("127.0.0.1:0")
    worker = SmallWorker(profile)
    provisioner = SmallProvisioner(worker, "")
    server.add(add_WorkerServiceServicer_to_server, worker, "catenary.v1.WorkerService")
    server.add(add_ProvisionerServiceServicer_to_server, provisioner, "catenary.v1.ProvisionerService")
    await server.start()
    provisioner.address = server.address
    return server, provisioner
