"""Carries out what the gateway's core decides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import structlog
from redis.asyncio import Redis

from catenary.core.gateway.core import GatewayCore
from catenary.core.gateway.events import (
    Abort,
    CancelRequested,
    CreateRun,
    EndRun,
    GatewayAction,
    GatewayEvent,
    Offer,
    Publish,
    Refuse,
    Release,
    ReportCall,
    RunFenced,
    RunSubmitted,
    Start,
    Tokenize,
    Withdraw,
)
from catenary.model.backlog import Backlog
from catenary.model.run import Run
from catenary.model.spec import SpecError
from catenary.model.workflow import Limits
from catenary.runtime.background import Background
from catenary.runtime.clock import now
from catenary.runtime.config import Config
from catenary.runtime.store.runs import RunStore, StoredRun, Unfinished
from catenary.runtime.store.specs import SpecStore
from catenary.runtime.store.writer import StoreWriter
from catenary.v1 import gateway_service_pb2 as pb
from catenary.v1 import run_pb2
from catenary_gateway.adopter import Adopter
from catenary_gateway.adoption import adopted, unreadable
from catenary_gateway.backlogs import BacklogExchange
from catenary_gateway.context import RunContext, already_stored, not_stored_yet
from catenary_gateway.demand_feed import DemandFeed
from catenary_gateway.experience import KeptExperience
from catenary_gateway.feeds import Feed
from catenary_gateway.keeper import RunKeeper
from catenary_gateway.metrics import GatewayMetrics
from catenary_gateway.ownership import Ownership
from catenary_gateway.peers import Peers
from catenary_gateway.presence import Presence
from catenary_gateway.reports import CallReports
from catenary_gateway.router_link import RouterLink
from catenary_gateway.spans import RunSpans
from catenary_gateway.specs import Specs, UnknownWorkflow
from catenary_gateway.store_room import StoreRoom
from catenary_gateway.submission import FieldError, parse_submission
from catenary_gateway.tokenizing import Tokenizers, Tokenizing
from catenary_gateway.worker_links import WorkerLinks


class Gateway:
    """One core; every event is handled at once, in the event loop, and its actions go to outboxes.

    ``core`` is there once the profiles are known.
    """

    def __init__(self, config: Config, gateway_id: str, redis: Redis) -> None:
        self.config = config
        self.gateway_id = gateway_id
        self.writer = StoreWriter(redis, config.store.write_timeout_s)
        self.store = RunStore(redis, self.writer, config.store.run_retention_s, config.store.max_runs)
        self.limits = Limits(**config.gateway.limits.model_dump())
        self.specs = Specs(SpecStore(redis), config.models, self.limits)
        self.background = Background()
        self.spans = RunSpans()
        self.metrics = GatewayMetrics(measures=bool(config.gateway.metrics_port))
        self.ownership = Ownership(redis, gateway_id, config.gateway.lease_ttl_s)
        self.presence = Presence(config.gateway.grace_s, self.cancel)
        self.peers = Peers()
        self.store_room = StoreRoom(redis)
        self.backlogs = BacklogExchange(redis, gateway_id, self.handle)
        self.tokenizers = Tokenizers(config.models, config.cache_dir.expanduser())
        self.router = RouterLink(redis, gateway_id, self.handle, self.spans.traceparent)
        self.workers = WorkerLinks(gateway_id, self.handle, self.spans.traceparent)
        self.reports = CallReports(config.profiler.address)
        self.demand = DemandFeed(redis, lambda: self.core, config.provisioner.demand_interval_s)
        self.experience = KeptExperience(redis, gateway_id, lambda: self.core)
        self.keeper = RunKeeper(
            self.store,
            self.ownership.owner,
            self.spans,
            self.metrics,
            handle=self.handle,
            view=self._view,
            unsure=self._unsure,
            fenced=self._fenced,
        )
        self.contexts = self.keeper.contexts
        self.adopter = Adopter(self.ownership, self.store, self.adopt, self.contexts, self.keeper.stored, self._fenced)
        self.active_run = self.keeper.active_run
        self.core: GatewayCore
        self._tokenizing = Tokenizing(self.tokenizers, self.background, self.handle)
        self._log = structlog.get_logger()
        self._perform: dict[type, Callable[[Any], None]] = {
            CreateRun: self.keeper.create,
            Refuse: self.keeper.refuse,
            Tokenize: self._tokenize,
            Offer: self.router.put,
            Withdraw: self.router.put,
            Release: self.router.put,
            Start: self._start_call,
            Abort: self.workers.abort,
            Publish: self.keeper.publish,
            EndRun: self.keeper.end,
            ReportCall: self.reports.put,
        }

    @property
    def takes_runs(self) -> bool:
        """A router has told of its pools, the store answers, and no other gateway takes this one for dead."""
        return self.knows_pools and self.writer.connected and self.ownership.held

    @property
    def knows_pools(self) -> bool:
        return bool(self.core.forecaster.pools)

    def handle(self, event: GatewayEvent) -> None:
        """Feed the core and carry out its actions."""
        for action in self.core.handle(event, now()):
            self.perform(action)

    def perform(self, action: GatewayAction) -> None:
        self._perform[type(action)](action)

    def submit(self, event: RunSubmitted, digest: str, request: bytes) -> RunContext:
        """Begin a run."""
        context = RunContext(Feed(), digest, time.time(), not_stored_yet(), request)
        self.contexts[event.run_id] = context
        self.spans.run_begins(event.run_id, event.workflow.workflow.name, event.tenant)
        self.handle(event)
        return context

    def own_backlog(self) -> Backlog:
        return self.core.backlog(now())

    def cancel(self, run_id: str, reason: str) -> None:
        self.handle(CancelRequested(run_id, reason))

    def _view(self, run_id: str) -> Run | None:
        return self.core.view(run_id, now())

    def _tokenize(self, action: Tokenize) -> None:
        self.spans.call_ready(action.run_id, f"{action.run_id}/{action.call.ref}", action.call.call.model)
        self._tokenizing.put(action)

    def _start_call(self, action: Start) -> None:
        self.spans.call_started(action)
        self.workers.start(action)

    async def adopt(self, stored: StoredRun, unfinished: Unfinished, epoch: int) -> None:
        """Go on with a run that the store has just given to this gateway."""
        run_id = stored.run_id
        events = [run_pb2.RunEvent.FromString(event) for event in unfinished.events]
        request = pb.SubmitWorkflowRequest.FromString(unfinished.request)
        submit_unix_s = run_pb2.Run.FromString(stored.header).submit_time.ToNanoseconds() * 1e-9
        context = RunContext(Feed(events), stored.spec_digest, submit_unix_s, already_stored(), unfinished.request)
        context.feed.detached = request.detach
        submitted: RunSubmitted | Exception
        try:
            submitted = await parse_submission(request, self.specs, self.limits)
        except (FieldError, SpecError, UnknownWorkflow) as error:
            submitted = error
        while (known := self.contexts.get(run_id)) is not None:
            if known.stored.done():
                self._fenced(run_id)  # driven here under an earlier epoch, which another gateway has ended meanwhile
            else:
                await asyncio.wait([known.stored])  # submitted again just now; the store has refused that
        self.contexts[run_id] = context
        self.keeper.journal.open(run_id, epoch, num_stored=len(events))
        if isinstance(submitted, Exception):
            self.keeper.end(unreadable(stored, epoch, len(events), str(submitted)))
            return
        self.spans.run_begins(run_id, submitted.workflow.workflow.name, submitted.tenant)
        self.metrics.adopted.inc()
        self.handle(adopted(submitted, epoch, unfinished.age_s, events))
        self.presence.left(run_id, context.feed)

    def _unsure(self) -> None:
        self.adopter.audit_soon()

    def _fenced(self, run_id: str) -> None:
        """Another gateway owns the run; those who follow it here are sent there."""
        self._log.warning("run taken over by another gateway", run_id=run_id)
        self.metrics.fenced.inc()
        self.handle(RunFenced(run_id))
        self.keeper.close(run_id)
