"""The profiler on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc

from catenary.core.profiler import FinishedCall, ProfilerCore
from catenary.model.profile_point import ProfileRecord
from catenary.runtime.rpc import abort
from catenary.runtime.tasks import cancel
from catenary.runtime.wire.profile import ProfileError, record_from_proto, record_to_proto
from catenary.v1 import profiler_service_pb2 as pb
from catenary.v1.profiler_service_pb2_grpc import ProfilerServiceServicer
from catenary_profiler.archive import ProfileArchive
from catenary_profiler.failure import ProfileFailed
from catenary_profiler.measurement import Measurement, Progress
from catenary_profiler.metrics import ProfilerMetrics

MAX_REPORTED_CALLS = 1_000

Context = grpc.aio.ServicerContext[Any, Any]


class ProfilerServicer(ProfilerServiceServicer):
    """A measurement lives as long as the RPC that asked for it."""

    def __init__(
        self, core: ProfilerCore, measurement: Measurement, archive: ProfileArchive, metrics: ProfilerMetrics
    ) -> None:
        self._core = core
        self._archive = archive
        self._metrics = metrics
        self._measurement = measurement
        self._tasks: set[asyncio.Task[ProfileRecord]] = set()

    async def close(self) -> None:
        """Cancel measurements under way and wait until their replicas are given back."""
        await cancel(*self._tasks)

    async def RunProfile(self, request: pb.RunProfileRequest, context: Context) -> AsyncIterator[pb.RunProfileResponse]:
        await self._check_model(request.model, context)
        updates: asyncio.Queue[Progress | None] = asyncio.Queue()
        task = asyncio.create_task(self._measurement.run(request.model, request.quick, updates.put_nowait))
        task.add_done_callback(lambda _: updates.put_nowait(None))
        self._tasks.add(task)
        try:
            while (update := await updates.get()) is not None:
                yield pb.RunProfileResponse(done=update.done, total=update.total, step=update.step)
                last = update
            record = task.result()
            yield pb.RunProfileResponse(done=last.total, total=last.total, step="done", profile=record_to_proto(record))
        except ProfileFailed as error:
            await abort(context, error.code, str(error), error.reason)
        except asyncio.CancelledError:
            if task.cancelled() and not context.cancelled():
                await abort(context, grpc.StatusCode.UNAVAILABLE, "the profiler is stopping", "CANCELLED")
            raise
        finally:
            await cancel(task)
            self._tasks.discard(task)

    async def GetProfile(self, request: pb.GetProfileRequest, context: Context) -> pb.GetProfileResponse:
        record = self._core.record(request.model)
        if record is None:
            await self._check_model(request.model, context)
            raise AssertionError(f"{request.model}: configured without a fallback profile")
        return pb.GetProfileResponse(profile=record_to_proto(record))

    async def ListProfiles(self, request: pb.ListProfilesRequest, context: Context) -> pb.ListProfilesResponse:
        records = [r for r in map(self._core.record, sorted(self._core.digests)) if r is not None]
        return pb.ListProfilesResponse(profiles=[record_to_proto(replace(r, points=())) for r in records])

    async def ImportProfile(self, request: pb.ImportProfileRequest, context: Context) -> pb.ImportProfileResponse:
        try:
            record = record_from_proto(request.profile)
        except ProfileError as error:
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, f"profile.{error}", "INVALID_ARGUMENT")
        if problem := self._core.import_problem(record):
            await abort(context, grpc.StatusCode.FAILED_PRECONDITION, f"profile.{problem}", "PROFILE")
        fresh = replace(record, online_error=0.0, online_calls=0)
        stored = await self._archive.keep(fresh)
        return pb.ImportProfileResponse(profile=record_to_proto(replace(stored, points=())))

    async def ReportCalls(self, request: pb.ReportCallsRequest, context: Context) -> pb.ReportCallsResponse:
        if len(request.calls) > MAX_REPORTED_CALLS:
            message = f"calls: {len(request.calls)} is over {MAX_REPORTED_CALLS}; send them in parts"
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, message, "LIMIT")
        calls = [_finished(call) for call in request.calls]
        self._core.report(calls)
        self._metrics.reported(calls)
        return pb.ReportCallsResponse()

    async def _check_model(self, model: str, context: Context) -> None:
        if model not in self._core.digests:
            known = ", ".join(sorted(self._core.digests)) or "none"
            message = f"model: {model!r} is not configured; known: {known}"
            await abort(context, grpc.StatusCode.NOT_FOUND, message, "UNKNOWN_MODEL")


def _finished(call: pb.FinishedCall) -> FinishedCall:
    return FinishedCall(
        call.model, call.prompt_tokens, call.cached_tokens, call.output_tokens, call.mean_batch, call.service_s
    )
