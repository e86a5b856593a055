"""A worker that registers itself, shows snapshots and takes commands, without engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from catenary.runtime.rpc import GrpcServer
from catenary.v1 import worker_service_pb2 as pb
from catenary.v1.worker_service_pb2_grpc import WorkerServiceServicer, add_WorkerServiceServicer_to_server

Context = grpc.aio.ServicerContext[Any, Any]


class FakeWorker(WorkerServiceServicer):
    def __init__(self, worker_id: str, *models: str, address: str = "127.0.0.1:0") -> None:
        self.server = GrpcServer(address)
        self.server.add(add_WorkerServiceServicer_to_server, self, "catenary.v1.WorkerService")
        self.worker_id = worker_id
        self.replicas = {
            model: pb.ReplicaSnapshot(model=model, state=pb.REPLICA_STATE_AWAKE, generation=1) for model in models
        }

    async def WatchSnapshots(
        self, request: pb.WatchSnapshotsRequest, context: Context
    ) -> AsyncIterator[pb.WatchSnapshotsResponse]:
        while True:
            snapshot = pb.WorkerSnapshot(worker_id=self.worker_id, incarnation=1, replicas=self.replicas.values())
            yield pb.WatchSnapshotsResponse(snapshot=snapshot)
            await asyncio.sleep(0.05)

    async def ReserveReplica(self, request: pb.ReserveReplicaRequest, context: Context) -> pb.ReserveReplicaResponse:
        self.replicas[request.model].reserved = request.reserved
        return pb.ReserveReplicaResponse(replica=self.replicas[request.model])

    async def LoadModel(self, request: pb.LoadModelRequest, context: Context) -> pb.LoadModelResponse:
        replica = self.replicas[request.model]
        replica.state, replica.generation = pb.REPLICA_STATE_AWAKE, replica.generation + 1
        return pb.LoadModelResponse(replica=replica)

    def die(self, model: str) -> None:
        replica = self.replicas[model]
        replica.state, replica.generation = pb.REPLICA_STATE_DEAD, replica.generation + 1
        replica.error = "out of memory"
