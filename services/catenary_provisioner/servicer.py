"""ProvisionerService on the wire."""

from __future__ import annotations

from typing import Any

import grpc

from catenary.core.provisioner.events import AcquireRequested, Refused
from catenary.runtime.rpc import abort, error_info
from catenary.v1 import provisioner_service_pb2 as pb
from catenary.v1.provisioner_service_pb2_grpc import ProvisionerServiceServicer
from catenary_provisioner.shell import NoLink, Provisioner

Context = grpc.aio.ServicerContext[Any, Any]


class ProvisionerServicer(ProvisionerServiceServicer):
    """Answers UNAVAILABLE with reason NOT_ACTIVE while another provisioner holds the lease."""

    def __init__(self, provisioner: Provisioner) -> None:
        self._provisioner = provisioner

    async def GetPlan(self, request: pb.GetPlanRequest, context: Context) -> pb.GetPlanResponse:
        await self._require_active(context)
        return pb.GetPlanResponse(plan=self._provisioner.plan())

    async def AcquireReplica(self, request: pb.AcquireReplicaRequest, context: Context) -> pb.AcquireReplicaResponse:
        await self._require_active(context)
        for name in ("model", "holder"):
            if not getattr(request, name):
                await abort(context, grpc.StatusCode.INVALID_ARGUMENT, f"{name}: is empty; give a name", "INVALID")
        event = AcquireRequested(request.model, request.holder, request.worker_id, request.may_sleep)
        try:
            answer = await self._provisioner.acquire(event)
        except NoLink as error:
            await abort(context, grpc.StatusCode.UNAVAILABLE, str(error), "NO_WORKERS")
        except grpc.RpcError as error:
            await abort(context, grpc.StatusCode.UNAVAILABLE, error_info(error).message, "NO_WORKERS")
        if isinstance(answer, Refused):
            await abort(context, grpc.StatusCode.FAILED_PRECONDITION, answer.reason, "NO_WORKERS")
        return pb.AcquireReplicaResponse(
            worker_id=answer.worker_id, worker_address=answer.address, lease_s=answer.lease_s
        )

    async def ReleaseReplica(self, request: pb.ReleaseReplicaRequest, context: Context) -> pb.ReleaseReplicaResponse:
        await self._require_active(context)
        self._provisioner.release(request.model, request.worker_id, request.holder)
        return pb.ReleaseReplicaResponse()

    async def _require_active(self, context: Context) -> None:
        if not self._provisioner.epoch:
            await abort(context, grpc.StatusCode.UNAVAILABLE, "another provisioner holds the lease", "NOT_ACTIVE")
