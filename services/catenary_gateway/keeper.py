"""The runs that this gateway drives: in the store first, then told to those who follow them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from catenary.core.gateway.events import CreateRun, EndRun, GatewayEvent, Publish, Refuse, RunCreated, RunNotCreated
from catenary.model.outcome import Outcome
from catenary.model.run import CallFinished, CallStarted, Quote, Run, RunEvent, RunRefused
from catenary.runtime.store.errors import StoreError, StoreFull, StoreUnavailable
from catenary.runtime.store.runs import CreateResult, RunStore
from catenary.runtime.wire.run import event_to_proto, run_to_proto
from catenary.v1 import run_pb2
from catenary_gateway.context import RunContext, RunExists
from catenary_gateway.journal import RunJournal
from catenary_gateway.metrics import GatewayMetrics
from catenary_gateway.spans import RunSpans

FIRST_EPOCH = 1
FULL_RUNS = 100_000


class RunKeeper:
    """Carries out CreateRun, Refuse, Publish and EndRun. ``view`` is the core's; ``unsure`` hears that the store
    has, or may have, a run under this owner's name that nobody drives; ``fenced`` of one that another owner has."""

    def __init__(
        self,
        store: RunStore,
        owner: str,
        spans: RunSpans,
        metrics: GatewayMetrics,
        handle: Callable[[GatewayEvent], None],
        view: Callable[[str], Run | None],
        unsure: Callable[[], None],
        fenced: Callable[[str], None],
    ) -> None:
        self.contexts: dict[str, RunContext] = {}
        self.journal = RunJournal(store, owner, FULL_RUNS, self._events_stored, fenced, self._restore, metrics.stored)
        self._store = store
        self._owner = owner
        self._spans = spans
        self._metrics = metrics
        self._handle = handle
        self._view = view
        self._unsure = unsure
        self._log = structlog.get_logger()

    def active_run(self, run_id: str) -> run_pb2.Run | None:
        context = self.contexts.get(run_id)
        run = self._view(run_id)
        if context is None or run is None:
            return None
        return run_to_proto(run, context.submit_unix_s, self._spans.trace_id(run_id))

    def create(self, action: CreateRun) -> None:
        run_id = action.run_id
        context = self.contexts[run_id]
        run = self.active_run(run_id)
        if run is None:
            self._not_created(run_id, StoreError(f"{run_id} ended before it was stored"))
            return
        message = event_to_proto(action.event)
        header, event = run.SerializeToString(), message.SerializeToString()
        created = self._store.create(run_id, self._owner, FIRST_EPOCH, context.digest, header, context.request, [event])
        created.add_done_callback(lambda done: self._created(run_id, message, done))

    def _created(self, run_id: str, message: run_pb2.RunEvent, done: asyncio.Future[CreateResult]) -> None:
        error = done.exception()
        if error is not None and not isinstance(error, StoreError):
            raise error
        if error is not None:
            if isinstance(error, StoreUnavailable):
                self._unsure()
            self._not_created(run_id, error)
            return
        result = done.result()
        if not result.created:
            if result.owner == self._owner:
                self._unsure()
            self._not_created(run_id, RunExists(result.spec_digest))
            return
        context = self.contexts[run_id]
        context.stored.set_result(None)
        self.journal.open(run_id, FIRST_EPOCH, num_stored=1)
        context.feed.publish(message)
        self._handle(RunCreated(run_id, FIRST_EPOCH))
        if context.ended is not None:
            self.end(context.ended)

    def _not_created(self, run_id: str, error: Exception) -> None:
        self._handle(RunNotCreated(run_id))
        context = self.contexts.pop(run_id)
        if isinstance(error, StoreFull):
            self._tell_refusal(context, run_id, RunRefused(Outcome.REJECTED_CAPACITY, str(error), Quote(0.0, 0.0)))
        context.stored.set_exception(error)
        context.feed.close()

    def refuse(self, action: Refuse) -> None:
        context = self.contexts.pop(action.run_id)
        self._tell_refusal(context, action.run_id, action.refusal)
        context.feed.close()

    def _tell_refusal(self, context: RunContext, run_id: str, refusal: RunRefused) -> None:
        self._metrics.refused.labels(str(refusal.outcome)).inc()
        self._log.info("run refused", run_id=run_id, outcome=refusal.outcome, reason=refusal.reason)
        context.feed.publish(event_to_proto(RunEvent(run_id, 1, refusal)))

    def publish(self, action: Publish) -> None:
        event = action.event
        context = self.contexts.get(event.run_id)
        if context is None:
            return
        if event.sequence == 0:
            if context.feed.wants_tokens:
                context.feed.publish_tokens(event_to_proto(event))
            return
        message = event_to_proto(event)
        later = isinstance(event.body, CallStarted)
        if self.journal.append(event.run_id, message.SerializeToString(), later=later):
            context.feed.hold(message)
        else:
            context.feed.publish(message)
        if isinstance(event.body, CallFinished):
            self._spans.call_finished(f"{event.run_id}/{event.body.record.ref}", event.body.record)
            self._metrics.call_ended(event.body.record)

    def end(self, action: EndRun) -> None:
        """The client hears of the end once it is stored."""
        run_id = action.run.run_id
        context = self.contexts[run_id]
        if not context.stored.done():
            context.ended = action
            return
        message = event_to_proto(action.event)
        header = run_to_proto(action.run, context.submit_unix_s, self._spans.trace_id(run_id))
        self._spans.run_finished(action.run)
        self._metrics.run_ended(action.run)
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

        self.journal.finish(run_id, message.SerializeToString(), header.SerializeToString(), stored)

    def close(self, run_id: str) -> None:
        """Nothing more of the run is stored or told here."""
        self.journal.forget(run_id)
        context = self.contexts.pop(run_id, None)
        if context is not None:
            context.feed.close()

    def stored(self) -> list[str]:
        """The runs that the store has acknowledged and that have not ended here."""
        return [run_id for run_id, context in self.contexts.items() if context.stored.done()]

    def _restore(self, run_id: str, epoch: int, num_events: int) -> asyncio.Future[bool]:
        context = self.contexts[run_id]
        run = self.active_run(run_id) or run_pb2.Run(run_id=run_id)
        return self._store.restore(
            run_id,
            self._owner,
            epoch,
            context.digest,
            run.SerializeToString(),
            context.request,
            [event.SerializeToString() for event in context.feed.events[:num_events]],
            max(0.0, time.time() - context.submit_unix_s),
        )

    def _events_stored(self, run_id: str, last: int) -> None:
        context = self.contexts.get(run_id)
        if context is not None:
            context.feed.release(last)
