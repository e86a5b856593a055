"""The gateway on the wire: parses, hands to the shell, answers."""

from __future__ import annotations

import contextlib

import grpc
from redis.exceptions import RedisError

from catenary.core.gateway.events import RunSubmitted
from catenary.core.gateway.explain import explain
from catenary.core.gateway.forecast import Forecaster
from catenary.runtime.store.errors import StoreError
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import gateway_service_pb2_grpc, run_pb2
from catenary_gateway import refusals as refuse
from catenary_gateway.context import RunContext
from catenary_gateway.following import Events, Follower, pass_on
from catenary_gateway.peers import was_forwarded
from catenary_gateway.refusals import Context, refusing
from catenary_gateway.shell import Gateway
from catenary_gateway.submission import digest_of, find_workflow, input_values, kept_request, parse_submission

MAX_REASON_BYTES = 1_024
MAX_PAGE = 1_000
DEFAULT_PAGE = 100


class GatewayServicer(gateway_service_pb2_grpc.GatewayServiceServicer):
    def __init__(self, shell: Gateway) -> None:
        self._shell = shell
        self._follower = Follower(shell)

    async def RegisterWorkflow(
        self, request: pb.RegisterWorkflowRequest, context: Context
    ) -> pb.RegisterWorkflowResponse:
        async with refusing(context):
            compiled, created = await self._shell.specs.register(request.workflow)
        return pb.RegisterWorkflowResponse(name=compiled.workflow.name, version=compiled.version, created=created)

    async def SubmitWorkflow(self, request: pb.SubmitWorkflowRequest, context: Context) -> None:
        event = await self._parse(request, context)
        run_id, digest = event.run_id, digest_of(request, event)
        known = self._shell.contexts.get(run_id)
        if known is not None:
            if known.digest != digest:
                await refuse.taken(context, run_id)
        elif not self._shell.knows_pools:
            await refuse.no_router(context)
        elif not self._shell.takes_runs:
            await refuse.unavailable(context, "the store is unreachable; runs already admitted go on")
        elif self._shell.store_room.full:
            await refuse.no_room(context, self._shell.store_room.full)
        else:
            known = self._shell.submit(event, digest, kept_request(request, event))
            await self._forget_refusal(known, run_id, digest, context)
        follow = pb.WatchRunRequest(run_id=run_id, stream_tokens=request.stream_tokens)

        async def send(events: Events) -> None:
            await context.write(pb.SubmitWorkflowResponse(events=events))

        feed = known.feed
        feed.detached |= request.detach
        try:
            await self._follower.own(feed, follow, context, send)
        finally:
            self._shell.presence.left(run_id, feed)
        if not feed.ended:
            await self._check_created(known, run_id, digest, context)
            async for events in self._follower.elsewhere(follow, context):
                await send(events)

    async def WatchRun(self, request: pb.WatchRunRequest, context: Context) -> None:
        async def send(events: Events) -> None:
            await context.write(pb.WatchRunResponse(events=events))

        known = self._shell.contexts.get(request.run_id)
        if known is not None:
            try:
                await self._follower.own(known.feed, request, context, send)
            finally:
                self._shell.presence.left(request.run_id, known.feed)
            if known.feed.ended:
                return
        async for events in self._follower.elsewhere(request, context):
            await send(events)

    async def GetRun(self, request: pb.GetRunRequest, context: Context) -> pb.GetRunResponse:
        active = self._shell.active_run(request.run_id)
        if active is not None:
            return pb.GetRunResponse(run=active)
        stored = await self._follower.stored(request.run_id, context)
        if stored is None:
            await refuse.unknown_run(context, request.run_id)
        if not stored.final and not was_forwarded(context):
            with contextlib.suppress(grpc.RpcError, RedisError, OSError):
                address = await self._shell.ownership.address_of(stored.owner)
                if address is not None:
                    return await self._shell.peers.get(address, request)
        return pb.GetRunResponse(run=run_pb2.Run.FromString(stored.header))

    async def ListRuns(self, request: pb.ListRunsRequest, context: Context) -> pb.ListRunsResponse:
        size = request.page_size or DEFAULT_PAGE
        if size > MAX_PAGE:
            await refuse.invalid(context, "page_size", f"is {size}, the bound is {MAX_PAGE}")
        try:
            stored, token = await self._shell.store.list(request.page_token, size)
        except ValueError as error:
            await refuse.invalid(context, "page_token", str(error))
        except (RedisError, StoreError, OSError) as error:
            await refuse.unavailable(context, error)
        response = pb.ListRunsResponse(next_page_token=token)
        for entry in stored:
            run = self._shell.active_run(entry.run_id) or run_pb2.Run.FromString(entry.header)
            if request.workflow in ("", run.workflow) and request.tenant in ("", run.tenant):
                run.ClearField("output")
                del run.calls[:]
                response.runs.append(run)
        return response

    async def CancelRun(self, request: pb.CancelRunRequest, context: Context) -> pb.CancelRunResponse:
        if len(request.reason.encode()) > MAX_REASON_BYTES:
            await refuse.invalid(context, "reason", f"is longer than {MAX_REASON_BYTES} bytes")
        known = self._shell.contexts.get(request.run_id)
        if known is not None:
            subscription = known.feed.subscribe(self._limit, False, len(known.feed.events))
            self._shell.cancel(request.run_id, request.reason or "cancelled by a client")
            while await subscription.next():
                pass
        stored = await self._follower.stored(request.run_id, context)
        if stored is None:
            await refuse.unknown_run(context, request.run_id)
        if stored.final:
            return pb.CancelRunResponse(run=run_pb2.Run.FromString(stored.header))
        address = await self._follower.owner_address(stored, context)
        try:
            return await self._shell.peers.cancel(address, request)
        except grpc.aio.AioRpcError as error:
            await pass_on(context, request.run_id, error)

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        forecaster = self._shell.core.forecaster
        response = pb.ListModelsResponse()
        for name, model in sorted(self._shell.config.models.items()):
            pool = forecaster.pools.get(name)
            response.models.add(
                name=name,
                source=model.source,
                max_model_len=model.max_model_len,
                replicas_awake=pool.num_replicas if pool else 0,
                replicas_total=pool.num_replicas + pool.num_starting if pool else 0,
                num_running=pool.num_running if pool else 0,
                num_queued=pool.num_queued if pool else 0,
                profiled=forecaster.profiles[name].origin != "assumed",
            )
        return response

    async def ExplainWorkflow(self, request: pb.ExplainWorkflowRequest, context: Context) -> pb.ExplainWorkflowResponse:
        async with refusing(context):
            compiled = await find_workflow(self._shell.specs, request)
            inputs = input_values(request.inputs, self._shell.limits)
        forecaster = self._shell.core.forecaster
        idle = Forecaster(forecaster.models, forecaster.profiles)
        idle.lengths, idle.shapes = forecaster.lengths, forecaster.shapes
        result = explain(compiled, inputs, idle, self._shell.limits)
        response = pb.ExplainWorkflowResponse(
            predicted_s=result.predicted.median,
            predicted_q90_s=result.predicted.high,
            deadline_s=result.deadline_s,
            basis=result.basis,
        )
        for share in result.calls:
            response.calls.add(**{name: getattr(share, name) for name in type(share).__slots__})
        return response

    # -- parts

    @property
    def _limit(self) -> int:
        return self._shell.config.gateway.event_buffer

    async def _parse(self, request: pb.SubmitWorkflowRequest, context: Context) -> RunSubmitted:
        async with refusing(context):
            return await parse_submission(request, self._shell.specs, self._shell.limits)

    async def _forget_refusal(self, known: RunContext, run_id: str, digest: str, context: Context) -> None:
        """A run that another gateway has admitted under this id is no refused one."""
        if not known.feed.ended:
            return
        stored = await self._follower.stored(run_id, context)
        if stored is not None:
            known.feed.events.clear()
            if stored.spec_digest != digest:
                await refuse.taken(context, run_id)

    async def _check_created(self, known: RunContext, run_id: str, digest: str, context: Context) -> None:
        """The feed ended before the run did: the store has another run of this id, or no answer."""
        error = known.stored.exception() if known.stored.done() else None
        if isinstance(error, StoreError):
            await refuse.unavailable(context, error)
        if error is not None and str(error) != digest:
            await refuse.taken(context, run_id)
