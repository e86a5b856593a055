"""The scheduler-gateway process: carries out what the core decides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from redis.exceptions import RedisError

from catenary.core.gateway.core import GatewayCore
from catenary.core.gateway.events import (
    Abort,
    CallTokenized,
    CancelRequested,
    CreateRun,
    EndRun,
    GatewayAction,
    GatewayEvent,
    Offer,
    ProfileChanged,
    Publish,
    Refuse,
    Release,
    ReportCall,
    RunCreated,
    RunFenced,
    RunNotCreated,
    RunSubmitted,
    Start,
    Tick,
    Tokenize,
    TokenizeFailed,
    Withdraw,
)
from catenary.core.gateway.settings import GatewaySettings, ModelInfo
from catenary.model.outcome import Outcome
from catenary.model.run import CallFinished, Quote, RunEvent, RunRefused
from catenary.model.spec import SpecError
from catenary.model.workflow import Limits
from catenary.runtime.advertised import advertised
from catenary.runtime.clock import now
from catenary.runtime.config import Config
from catenary.runtime.profiles import load_profiles
from catenary.runtime.rpc import GrpcServer
from catenary.runtime.store.connection import connect
from catenary.runtime.store.errors import StoreError, StoreFull, StoreUnavailable
from catenary.runtime.store.runs import RunStore, StoredRun, Unfinished
from catenary.runtime.store.specs import SpecStore
from catenary.runtime.store.writer import StoreWriter
from catenary.runtime.tokenizer import TokenizerError
from catenary.runtime.wire.run import event_to_proto, run_to_proto
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import gateway_service_pb2_grpc, run_pb2
from catenary_gateway.adopter import Adopter
from catenary_gateway.adoption import adopted, unreadable
from catenary_gateway.feeds import Feed
from catenary_gateway.journal import RunJournal
from catenary_gateway.metrics import GatewayMetrics
from catenary_gateway.ownership import Ownership
from catenary_gateway.peers import Peers
from catenary_gateway.presence import Presence
from catenary_gateway.reports import CallReports
from catenary_gateway.router_link import RouterLink
from catenary_gateway.servicer import GatewayServicer
from catenary_gateway.spans import RunSpans
from catenary_gateway.specs import Specs, UnknownWorkflow
from catenary_gateway.store_room import StoreRoom
from catenary_gateway.submission import FieldError, parse_submission
from catenary_gateway.tokenizing import Tokenizers, prefix_hashes
from catenary_gateway.worker_links import WorkerLinks

FIRST_EPOCH = 1
PROFILE_INTERVAL_S = 2.0
TICK_S = 0.02
STOP_GRACE_S = 2.0
FLUSH_S = 1.0
POOLS_PATIENCE_S = 5.0
LOST_PAUSE_S = 0.5
FULL_RUNS = 100_000


@dataclass(slots=True)
class RunContext:
    """What the shell keeps of an active run besides the core's state. ``request`` is what another gateway would go on
    from; ``ended`` holds the end of a run that was cancelled before the store had it."""

    feed: Feed
    digest: str
    submit_unix_s: float
    stored: asyncio.Future[None]
    request: bytes = b""
    ended: EndRun | None = None


class RunExists(Exception):
    """The store has a run of this id already."""


class GatewayService:
    """One core; every event is handled at once, in the event loop, and its actions go to outboxes."""

    def __init__(self, config: Config, gateway_id: str, config_path: Path | None) -> None:
        self.config = config
        self._config_path = config_path
        self.gateway_id = gateway_id
        self._redis = connect(config.store.url)
        self._writer = StoreWriter(self._redis, config.store.write_timeout_s)
        self.store = RunStore(self._redis, self._writer, config.store.run_retention_s, config.store.max_runs)
        self.limits = Limits(**config.gateway.limits.model_dump())
        self.specs = Specs(SpecStore(self._redis), config.models, self.limits)
        self.spans = RunSpans()
        self.contexts: dict[str, RunContext] = {}
        self.ownership = Ownership(self._redis, gateway_id, config.gateway.lease_ttl_s)
        self.presence = Presence(config.gateway.grace_s, self.cancel)
        self.peers = Peers()
        self.store_room = StoreRoom(self._redis)
        self.metrics = GatewayMetrics()
        self._adopter = Adopter(self.ownership, self.store, self._adopt)
        self._journal = RunJournal(self.store, FULL_RUNS, self._events_stored, self._fenced, self.metrics.store.observe)
        self._tokenizers = Tokenizers(config.models, config.cache_dir.expanduser())
        self._router = RouterLink(self._redis, gateway_id, self.handle, self.spans.traceparent)
        self._workers = WorkerLinks(gateway_id, self.handle, self.spans.traceparent)
        self._reports = CallReports(config.profiler.address)
        self._server = GrpcServer(config.gateway.address)
        self._server.add(
            gateway_service_pb2_grpc.add_GatewayServiceServicer_to_server,
            GatewayServicer(self),
            "catenary.v1.GatewayService",
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._opened = False
        self._log = structlog.get_logger()
        self.core: GatewayCore
        self._perform: dict[type, Callable[[Any], None]] = {
            CreateRun: self._create_run,
            Refuse: self._refuse,
            Tokenize: self._tokenize,
            Offer: self._offer,
            Withdraw: self._router.put,
            Release: self._router.put,
            Start: self._start_call,
            Abort: self._workers.abort,
            Publish: self._publish,
            EndRun: self._end_run,
            ReportCall: self._reports.put,
        }

    @property
    def address(self) -> str:
        return self._server.address

    @property
    def takes_runs(self) -> bool:
        """The store answers, and no other gateway takes this one for dead."""
        return self._opened and self._writer.connected and self.ownership.held

    async def start(self) -> None:
        gateway = self.config.gateway
        settings = GatewaySettings(
            gateway_id=self.gateway_id,
            admission=gateway.admission,
            admit_probability=gateway.admit_probability,
            max_active_runs=gateway.max_active_runs,
            max_attempts=gateway.max_attempts,
            late_multiple=gateway.late_multiple,
            shed_lost=self.config.router.shed_lost,
            limits=self.limits,
        )
        models = {
            name: ModelInfo(name, model.max_model_len, model.default_output_tokens)
            for name, model in self.config.models.items()
        }
        self._writer.start()
        profiles = await load_profiles(self.config, self._redis, self._config_path)
        self.core = GatewayCore(settings, models, profiles)
        await self._tokenizers.load()
        await self._server.start()
        await self.ownership.begin(advertised(self._server.address))
        for work in (
            self.ownership.keep(self._give_up_lost),
            self._adopter.run(),
            self.store_room.follow(),
            self._router.run(),
            self._reports.run(),
            self._tick(),
            self._follow_profiles(),
        ):
            self._spawn(work)
        if gateway.metrics_port:
            self.metrics.serve(gateway.metrics_port)
        await self._hear_of_pools()
        self._opened = True
        await self._server.set_serving(True)

    async def _hear_of_pools(self) -> None:
        """A gateway that knows no pools would refuse every run: the router has a while to tell."""
        for _ in range(round(POOLS_PATIENCE_S / TICK_S)):
            if self.core.forecaster.pools:
                return
            await asyncio.sleep(TICK_S)

    async def stop(self) -> None:
        """Runs that have not ended are left to the next gateway: what is known of them is stored first."""
        self.presence.stopping = True
        await self._server.stop(STOP_GRACE_S)
        await self._journal.flush(FLUSH_S)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._workers.close()
        await self._writer.close()
        await self.ownership.release()
        await self.peers.close()
        await asyncio.to_thread(self.metrics.close)
        await self._redis.aclose()

    def handle(self, event: GatewayEvent) -> None:
        """Feed the core and carry out its actions."""
        for action in self.core.handle(event, now()):
            self.perform(action)

    def perform(self, action: GatewayAction) -> None:
        self._perform[type(action)](action)

    def submit(self, event: RunSubmitted, digest: str, request: bytes) -> RunContext:
        """Begin a run. The context's ``stored`` ends with RunExists or StoreError where it could not be stored."""
        stored = asyncio.get_running_loop().create_future()
        stored.add_done_callback(lambda done: done.cancelled() or done.exception())
        context = RunContext(Feed(), digest, time.time(), stored, request)
        self.contexts[event.run_id] = context
        self.spans.run_begins(event.run_id, event.workflow.workflow.name, event.tenant)
        self.handle(event)
        return context

    def cancel(self, run_id: str, reason: str) -> None:
        self.handle(CancelRequested(run_id, reason))

    def active_run(self, run_id: str) -> run_pb2.Run | None:
        context = self.contexts.get(run_id)
        run = self.core.view(run_id, now())
        if context is None or run is None:
            return None
        return run_to_proto(run, context.submit_unix_s, self.spans.trace_id(run_id))

    # -- actions of the core

    def _create_run(self, action: CreateRun) -> None:
        self._spawn(self._create(action))

    async def _create(self, action: CreateRun) -> None:
        context = self.contexts[action.run_id]
        run = self.active_run(action.run_id)
        if run is None:
            self._not_created(action.run_id, None)
            return
        message = event_to_proto(action.event)
        try:
            result = await self.store.create(
                action.run_id,
                self.ownership.owner,
                FIRST_EPOCH,
                context.digest,
                run.SerializeToString(),
                context.request,
                [message.SerializeToString()],
            )
        except StoreError as error:
            if isinstance(error, StoreUnavailable):
                self._adopter.unsure(action.run_id)
            self._not_created(action.run_id, error)
            return
        if not result.created:
            self._not_created(action.run_id, RunExists(result.spec_digest))
            return
        context.stored.set_result(None)
        self._journal.open(action.run_id, FIRST_EPOCH, num_stored=1)
        context.feed.publish(message)
        self.handle(RunCreated(action.run_id, FIRST_EPOCH))
        if context.ended is not None:
            self._end_run(context.ended)

    async def _adopt(self, stored: StoredRun, unfinished: Unfinished, epoch: int) -> None:
        """Go on with a run that the store has just given to this gateway."""
        run_id = stored.run_id
        events = [run_pb2.RunEvent.FromString(event) for event in unfinished.events]
        request = pb.SubmitWorkflowRequest.FromString(unfinished.request)
        context = RunContext(Feed(events), stored.spec_digest, _submit_unix_s(stored), _done(), unfinished.request)
        context.feed.detached, context.feed.forgives = request.detach, True
        self.contexts[run_id] = context
        self._journal.open(run_id, epoch, num_stored=len(events))
        try:
            submitted = await parse_submission(request, self.specs, self.limits)
        except (FieldError, SpecError, UnknownWorkflow) as error:
            self._end_run(unreadable(stored, epoch, len(events), str(error)))
            return
        self.spans.run_begins(run_id, submitted.workflow.workflow.name, submitted.tenant)
        self.metrics.adopted.inc()
        self.handle(adopted(submitted, epoch, unfinished.age_s, events))
        self.presence.await_return(run_id, context.feed)

    def _events_stored(self, run_id: str, last: int) -> None:
        context = self.contexts.get(run_id)
        if context is not None:
            context.feed.release(last)

    async def _give_up_lost(self) -> None:
        """Runs that others took over while this gateway counted as dead, also those that they are just taking."""
        for pause_s in (0.0, LOST_PAUSE_S):
            await asyncio.sleep(pause_s)
            run_ids = [run_id for run_id, context in self.contexts.items() if context.stored.done()]
            try:
                owners = await self.store.owners_of(run_ids)
            except (RedisError, OSError, TimeoutError):
                return
            for run_id, owner in zip(run_ids, owners, strict=True):
                if owner not in (None, self.ownership.owner) and run_id in self.contexts:
                    self._journal.forget(run_id)
                    self._fenced(run_id)

    def _fenced(self, run_id: str) -> None:
        """Another gateway owns the run; those who follow it here are sent there."""
        self._log.warning("run taken over by another gateway", run_id=run_id)
        self.metrics.fenced.inc()
        self.handle(RunFenced(run_id))
        context = self.contexts.pop(run_id, None)
        if context is not None:
            context.feed.close()

    def _not_created(self, run_id: str, error: Exception | None) -> None:
        self.handle(RunNotCreated(run_id))
        context = self.contexts.pop(run_id)
        if isinstance(error, StoreFull):
            refused = RunRefused(Outcome.REJECTED_CAPACITY, str(error), Quote(0.0, 0.0))
            context.feed.publish(event_to_proto(RunEvent(run_id, 1, refused)))
        elif error is not None:
            context.stored.set_exception(error)
        context.feed.close()

    def _refuse(self, action: Refuse) -> None:
        context = self.contexts.pop(action.run_id)
        self.metrics.refused.labels(str(action.refusal.outcome)).inc()
        self._log.info(
            "run refused", run_id=action.run_id, outcome=action.refusal.outcome, reason=action.refusal.reason
        )
        context.feed.publish(event_to_proto(RunEvent(action.run_id, 1, action.refusal)))
        context.feed.close()

    def _tokenize(self, action: Tokenize) -> None:
        self.spans.call_ready(action.run_id, f"{action.run_id}/{action.call.ref}", action.call.call.model)
        if self._tokenizers.is_short(action.call):
            self.handle(self._encoded(action))
        else:
            self._spawn(self._tokenize_beside(action))

    async def _tokenize_beside(self, action: Tokenize) -> None:
        self.handle(await asyncio.to_thread(self._encoded, action))

    def _encoded(self, action: Tokenize) -> GatewayEvent:
        try:
            token_ids = self._tokenizers.encode(action.call)
        except TokenizerError as error:
            return TokenizeFailed(action.run_id, action.call.ref, str(error))
        return CallTokenized(action.run_id, action.call.ref, token_ids, prefix_hashes(token_ids))

    def _offer(self, action: Offer) -> None:
        self._router.put(action)

    def _start_call(self, action: Start) -> None:
        self.spans.call_started(action)
        self._workers.start(action)

    def _publish(self, action: Publish) -> None:
        event = action.event
        context = self.contexts.get(event.run_id)
        if context is None:
            return
        if event.sequence == 0:
            if context.feed.wants_tokens:
                context.feed.publish_tokens(event_to_proto(event))
            return
        message = event_to_proto(event)
        if self._journal.append(event.run_id, message.SerializeToString()):
            context.feed.hold(message)
        else:
            context.feed.publish(message)
        if isinstance(event.body, CallFinished):
            self.spans.call_finished(f"{event.run_id}/{event.body.record.ref}", event.body.record)
            self.metrics.call_ended(event.body.record)

    def _end_run(self, action: EndRun) -> None:
        """The client hears of the end once it is stored."""
        run_id = action.run.run_id
        context = self.contexts[run_id]
        if not context.stored.done():
            context.ended = action
            return
        message = event_to_proto(action.event)
        header = run_to_proto(action.run, context.submit_unix_s, self.spans.trace_id(run_id))
        self.spans.run_finished(action.run)
        self.metrics.run_ended(action.run)
        self._log.info(
            "run finished",
            run_id=run_id,
            outcome=action.run.outcome,
            met=action.run.met,
            e2e_s=round(action.run.e2e_s, 4),
            trace_id=header.trace_id,
        )

        def stored() -> None:
            self.contexts.pop(run_id, None)
            context.feed.publish(message)
            context.feed.close()

        self._journal.finish(run_id, message.SerializeToString(), header.SerializeToString(), stored)

    # -- background work

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("background task failed", task=task.get_name(), error=str(error), exc_info=error)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.presence.beat()
            due = self.core.next_timer()
            if due is not None and due <= now():
                self.handle(Tick())

    async def _follow_profiles(self) -> None:
        while True:
            await asyncio.sleep(PROFILE_INTERVAL_S)
            self.metrics.state(len(self.contexts), self.takes_runs, self.core.forecaster.pools)
            try:
                profiles = await load_profiles(self.config, self._redis, self._config_path)
            except (RedisError, OSError, TimeoutError):
                continue
            for profile in profiles.values():
                self.handle(ProfileChanged(profile))


def _submit_unix_s(stored: StoredRun) -> float:
    return run_pb2.Run.FromString(stored.header).submit_time.ToNanoseconds() * 1e-9


def _done() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future
