"""The gateway on the wire: parses, hands to the shell, answers."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from redis.exceptions import RedisError

from catenary.core.gateway.events import RunSubmitted
from catenary.core.gateway.explain import explain
from catenary.core.gateway.forecast import Forecaster
from catenary.model.compiled import CompiledWorkflow
from catenary.model.spec import SpecError, bind_inputs
from catenary.runtime.rpc import abort
from catenary.runtime.store.errors import StoreError, StoreFull
from catenary.runtime.wire.enums import priority_from_proto
from catenary.runtime.wire.values import struct_from_proto
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import gateway_service_pb2_grpc, run_pb2
from catenary_gateway.feeds import Feed, ReaderTooSlow, Subscription
from catenary_gateway.specs import UnknownWorkflow

if TYPE_CHECKING:
    from catenary_gateway.shell import GatewayService, RunContext

Context = grpc.aio.ServicerContext[Any, Any]

MAX_RUN_ID = 128
MAX_TENANT = 64
MAX_REASON_BYTES = 1_024
MAX_PAGE = 1_000
DEFAULT_PAGE = 100
LAST_EVENTS = ("run_finished", "run_refused")


class GatewayServicer(gateway_service_pb2_grpc.GatewayServiceServicer):
    def __init__(self, shell: GatewayService) -> None:
        self._shell = shell

    async def RegisterWorkflow(
        self, request: pb.RegisterWorkflowRequest, context: Context
    ) -> pb.RegisterWorkflowResponse:
        try:
            compiled, created = await self._shell.specs.register(request.workflow)
        except SpecError as error:
            await _invalid_spec(context, error)
        except StoreFull as error:
            await abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(error), "REJECTED_CAPACITY")
        except (RedisError, StoreError, OSError) as error:
            await _unavailable(context, error)
        return pb.RegisterWorkflowResponse(name=compiled.workflow.name, version=compiled.version, created=created)

    async def SubmitWorkflow(
        self, request: pb.SubmitWorkflowRequest, context: Context
    ) -> AsyncIterator[pb.SubmitWorkflowResponse]:
        event = await self._parse(request, context)
        digest = _digest(request, event)
        known = self._shell.contexts.get(event.run_id)
        if known is not None:
            await self._check_digest(known.digest, digest, event.run_id, context)
        elif not self._shell.store_connected:
            await _unavailable(context, "the store is unreachable; runs already admitted go on")
        else:
            known = self._shell.submit(event, digest)
        feed = known.feed
        feed.num_attached += 1
        feed.detached |= request.detach
        try:
            subscription = feed.subscribe(self._limit, request.stream_tokens)
            last = ""
            async for events in self._events(event.run_id, feed, subscription, context):
                last = events[-1].WhichOneof("event") or ""
                yield pb.SubmitWorkflowResponse(events=events)
            if last not in LAST_EVENTS:
                yield pb.SubmitWorkflowResponse(events=await self._not_stored(event.run_id, known, digest, context))
        finally:
            feed.num_attached -= 1
            if not (feed.closed or feed.detached or feed.num_attached):
                self._shell.cancel(event.run_id, "the client went away")

    async def WatchRun(self, request: pb.WatchRunRequest, context: Context) -> AsyncIterator[pb.WatchRunResponse]:
        known = self._shell.contexts.get(request.run_id)
        if known is None:
            events = await self._stored_events(request.run_id, request.after_sequence, context)
            if events:
                yield pb.WatchRunResponse(events=events)
            return
        subscription = known.feed.subscribe(self._limit, request.stream_tokens, request.after_sequence)
        async for events in self._events(request.run_id, known.feed, subscription, context):
            yield pb.WatchRunResponse(events=events)

    async def GetRun(self, request: pb.GetRunRequest, context: Context) -> pb.GetRunResponse:
        return pb.GetRunResponse(run=await self._run(request.run_id, context))

    async def ListRuns(self, request: pb.ListRunsRequest, context: Context) -> pb.ListRunsResponse:
        size = request.page_size or DEFAULT_PAGE
        if size > MAX_PAGE:
            await _invalid(context, "page_size", f"is {size}, the bound is {MAX_PAGE}")
        try:
            stored, token = await self._shell.store.list(request.page_token, size)
        except ValueError as error:
            await _invalid(context, "page_token", str(error))
        except (RedisError, StoreError, OSError) as error:
            await _unavailable(context, error)
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
            await _invalid(context, "reason", f"is longer than {MAX_REASON_BYTES} bytes")
        known = self._shell.contexts.get(request.run_id)
        if known is not None:
            subscription = known.feed.subscribe(self._limit, False, len(known.feed.events))
            self._shell.cancel(request.run_id, request.reason or "cancelled by a client")
            async for _ in subscription.events():
                pass
        return pb.CancelRunResponse(run=await self._run(request.run_id, context))

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
        compiled = await self._workflow(request, "", context)
        try:
            inputs = struct_from_proto(request.inputs)
        except ValueError as error:
            await _invalid(context, "inputs", str(error))
        forecaster = self._shell.core.forecaster
        idle = Forecaster(forecaster.models, forecaster.profiles)
        idle.lengths = forecaster.lengths
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
        if len(request.run_id) > MAX_RUN_ID or "/" in request.run_id:
            await _invalid(context, "run_id", f"must have at most {MAX_RUN_ID} characters and no '/'")
        if len(request.tenant) > MAX_TENANT:
            await _invalid(context, "tenant", f"is longer than {MAX_TENANT} characters")
        deadline_s = None
        if request.HasField("deadline"):
            deadline_s = request.deadline.seconds + request.deadline.nanos * 1e-9
            bound = self._shell.limits.max_deadline_s
            if not 0 < deadline_s <= bound:
                await _invalid(context, "deadline", f"is {deadline_s:g} s, must be over 0 and at most {bound:g} s")
        compiled = await self._workflow(request, request.workflow_version, context)
        try:
            inputs = bind_inputs(compiled, struct_from_proto(request.inputs), self._shell.limits)
        except SpecError as error:
            await _invalid_spec(context, error)
        except ValueError as error:
            await _invalid(context, "inputs", str(error))
        return RunSubmitted(
            run_id=request.run_id or uuid.uuid4().hex,
            workflow=compiled,
            inputs=inputs,
            deadline_s=deadline_s,
            tenant=request.tenant or "default",
            priority=priority_from_proto(request.priority),
        )

    async def _workflow(
        self, request: pb.SubmitWorkflowRequest | pb.ExplainWorkflowRequest, version: str, context: Context
    ) -> CompiledWorkflow:
        spec = request.WhichOneof("spec")
        if spec is None:
            await _invalid(context, "spec", "neither a workflow nor a workflow_name is given")
        try:
            if spec == "workflow":
                return self._shell.specs.compile(request.workflow)
            return await self._shell.specs.registered(request.workflow_name, version)
        except SpecError as error:
            await _invalid_spec(context, error)
        except UnknownWorkflow as error:
            await abort(context, grpc.StatusCode.NOT_FOUND, str(error), "UNKNOWN_WORKFLOW")
        except (RedisError, StoreError, OSError) as error:
            await _unavailable(context, error)

    async def _events(
        self, run_id: str, feed: Feed, subscription: Subscription, context: Context
    ) -> AsyncIterator[list[run_pb2.RunEvent]]:
        try:
            async for events in subscription.events():
                yield events
        except ReaderTooSlow:
            reason = f"more than {self._limit} events of {run_id} wait for this reader; go on with WatchRun"
            await abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, reason, "READER_TOO_SLOW")
        finally:
            feed.subscriptions.discard(subscription)

    async def _not_stored(
        self, run_id: str, known: RunContext, digest: str, context: Context
    ) -> list[run_pb2.RunEvent]:
        """The feed ended before the run did: the store has another run of this id, or no room, or no answer."""
        error = known.stored.exception() if known.stored.done() else None
        if isinstance(error, StoreError):
            await _unavailable(context, error)
        if error is not None:
            await self._check_digest(str(error), digest, run_id, context)
        return await self._stored_events(run_id, 0, context)

    async def _check_digest(self, known: str, digest: str, run_id: str, context: Context) -> None:
        if known != digest:
            message = f"run_id: {run_id!r} is taken by a run of another content"
            await abort(context, grpc.StatusCode.ALREADY_EXISTS, message, "RUN_EXISTS")

    async def _stored_events(self, run_id: str, after: int, context: Context) -> list[run_pb2.RunEvent]:
        try:
            if await self._shell.store.get(run_id) is None:
                await _unknown_run(context, run_id)
            return [run_pb2.RunEvent.FromString(event) for event in await self._shell.store.events(run_id, after)]
        except (RedisError, StoreError, OSError) as error:
            await _unavailable(context, error)

    async def _run(self, run_id: str, context: Context) -> run_pb2.Run:
        active = self._shell.active_run(run_id)
        if active is not None:
            return active
        try:
            stored = await self._shell.store.get(run_id)
        except (RedisError, StoreError, OSError) as error:
            await _unavailable(context, error)
        if stored is None:
            await _unknown_run(context, run_id)
        return run_pb2.Run.FromString(stored.header)


def _digest(request: pb.SubmitWorkflowRequest, event: RunSubmitted) -> str:
    """Two submissions with the same digest are the same run."""
    content = hashlib.sha256(event.workflow.version.encode())
    content.update(request.inputs.SerializeToString(deterministic=True))
    content.update(f"{event.deadline_s}|{event.tenant}|{event.priority}".encode())
    return content.hexdigest()[:32]


async def _invalid(context: Context, field: str, problem: str) -> NoReturn:
    await abort(context, grpc.StatusCode.INVALID_ARGUMENT, f"{field}: {problem}", "INVALID_ARGUMENT", {"field": field})


async def _invalid_spec(context: Context, error: SpecError) -> NoReturn:
    places = {"field": error.problems[0].place} if error.problems else {}
    await abort(context, grpc.StatusCode.INVALID_ARGUMENT, str(error), "INVALID_WORKFLOW", places)


async def _unavailable(context: Context, error: object) -> NoReturn:
    await abort(context, grpc.StatusCode.UNAVAILABLE, str(error), "STORE_UNAVAILABLE")


async def _unknown_run(context: Context, run_id: str) -> NoReturn:
    await abort(context, grpc.StatusCode.NOT_FOUND, f"run_id: no run {run_id!r} is kept", "UNKNOWN_RUN")
