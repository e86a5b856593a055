"""The router: which call goes next, to which worker. Synchronous; one owner task feeds it events."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from catenary.core.router.events import (
    Assign,
    GatewayLeft,
    Offered,
    ProfileChanged,
    Reject,
    Released,
    RouterAction,
    RouterEvent,
    SnapshotArrived,
    Tick,
    Withdrawn,
    WorkerLost,
    WorkersExpected,
)
from catenary.core.router.pool import Pool
from catenary.core.router.settings import RouterSettings
from catenary.model.dispatch import NEVER, PoolState, QueuedCall
from catenary.model.outcome import Outcome
from catenary.model.profile import EngineProfile
from catenary.model.worker import Worker
from catenary.policy.ordering import ORDERINGS
from catenary.policy.ordering.triage import Claim, keep, room_s
from catenary.policy.routing import ROUTINGS, RoutingContext

BUSY = 0.5
"""Part of a pool's seats. From there on late runs hold no more than their share: seats that are free at the moment are
those of runs that arrive in time."""
HOLD_S = 0.1
"""A call that was found to wait is looked at again after so long, or when a place changes."""


class RouterCore:
    """``handle(event, now)`` returns placements and rejections. ``profiles`` names the known models."""

    def __init__(self, settings: RouterSettings, profiles: Mapping[str, EngineProfile]) -> None:
        self.settings = settings
        self.pools = {model: Pool(model, profile, settings) for model, profile in profiles.items()}
        self.workers: dict[str, Worker] = {}
        self._order = ORDERINGS[settings.ordering]
        self._route = ROUTINGS[settings.routing]
        self._model_of: dict[str, str] = {}
        self._handlers: dict[type, Callable[[Any, float], list[RouterAction]]] = {
            Offered: self._offered,
            Withdrawn: self._withdrawn,
            Released: self._released,
            SnapshotArrived: self._snapshot,
            WorkerLost: self._worker_lost,
            WorkersExpected: self._workers_expected,
            GatewayLeft: self._gateway_left,
            ProfileChanged: self._profile_changed,
            Tick: self._tick,
        }

    @property
    def num_calls(self) -> int:
        """Those that wait or are placed."""
        return len(self._model_of)

    def handle(self, event: RouterEvent, now: float) -> list[RouterAction]:
        return self._handlers[type(event)](event, now)

    def pool_states(self, now: float) -> list[PoolState]:
        return [pool.state(now) for pool in self.pools.values()]

    def fleet(self) -> list[tuple[int, ...]]:
        """How many workers of each pool serve, start, are away or sleep: what gateways are to know of at once."""
        return [pool.fleet for pool in self.pools.values()]

    def _offered(self, event: Offered, now: float) -> list[RouterAction]:
        call = event.call
        pool = self.pools.get(call.model)
        if pool is None:
            return [Reject(call, Outcome.NO_WORKERS, f"unknown model {call.model!r}")]
        resident = pool.resident(call.call_id)
        if resident is not None:
            if resident.call.attempt >= call.attempt:
                return []
            pool.release(call.call_id)
        waiting = pool.queue.get(call.call_id) or pool.late.get(call.call_id)
        if waiting is not None and waiting.attempt > call.attempt:
            return []
        if pool.num_queued >= self.settings.queue_limit and call.call_id not in self._model_of:
            bound = self.settings.queue_limit
            return [Reject(call, Outcome.REJECTED_CAPACITY, f"queue of {call.model} holds its bound of {bound} calls")]
        if call.call_id not in self._model_of:
            pool.arrivals.asked(pool.pace.work_s(call), now)
        self._model_of[call.call_id] = call.model
        self._enqueue(pool, call)
        return self._schedule(pool, now)

    def _enqueue(self, pool: Pool, call: QueuedCall) -> None:
        pool.queue.remove(call.call_id)
        pool.late.remove(call.call_id)
        if call.late:
            pool.late.push(call, call.ready_at)
            return
        key = self._order(call, pool.pace.predicted_s(call, call.output.q50))
        lost_at = NEVER
        if self.settings.shed_lost and call.lost_finish != NEVER:
            lost_at = call.lost_finish - pool.pace.predicted_s(call, call.output.q10)
        claim = pool.pace.claim(call, key, self.settings.triage_margin) if self.settings.triage else None
        pool.queue.push(call, key, lost_at, claim)

    def _withdrawn(self, event: Withdrawn, now: float) -> list[RouterAction]:
        pool = self._pool_of(event.call_id)
        if pool is None:
            return []
        waiting = pool.queue.get(event.call_id) or pool.late.get(event.call_id)
        if waiting is not None and waiting.attempt <= event.attempt:
            self._forget(pool, event.call_id)
        return []

    def _released(self, event: Released, now: float) -> list[RouterAction]:
        pool = self._pool_of(event.call_id)
        if pool is None:
            return []
        resident = pool.resident(event.call_id)
        if resident is None or resident.call.attempt != event.attempt:
            return []
        pool.release(event.call_id)
        self._model_of.pop(event.call_id, None)
        if event.output_tokens:
            pool.pace.observe(resident.call, event.output_tokens)
        return self._schedule(pool, now)

    def _snapshot(self, event: SnapshotArrived, now: float) -> list[RouterAction]:
        worker = event.worker
        known = self.workers.get(worker.worker_id)
        if known is not None and (known.incarnation, known.sequence) > (worker.incarnation, worker.sequence):
            return []
        self.workers[worker.worker_id] = worker
        actions: list[RouterAction] = []
        shown = {replica.model for replica in worker.replicas}
        for model, pool in self.pools.items():
            if model not in shown and pool.knows(worker.worker_id):
                self._gone(pool.drop_worker(worker.worker_id))
        num_busy = sum(replica.num_running > 0 for replica in worker.replicas)
        for replica in worker.replicas:
            held = self.pools.get(replica.model)
            if held is not None:
                self._gone(held.update(worker, replica, now))
                if replica.takes_calls:
                    held.share(worker.worker_id, num_busy - (replica.num_running > 0))
                actions += self._schedule(held, now)
        return actions

    def _worker_lost(self, event: WorkerLost, now: float) -> list[RouterAction]:
        self.workers.pop(event.worker_id, None)
        for pool in self.pools.values():
            self._gone(pool.lose_worker(event.worker_id, now))
        return []

    def _workers_expected(self, event: WorkersExpected, now: float) -> list[RouterAction]:
        for worker_id, models in event.models.items():
            for model in models:
                pool = self.pools.get(model)
                if pool is not None and worker_id not in self.workers:
                    pool.away.begin(worker_id, now)
        return []

    def _gateway_left(self, event: GatewayLeft, now: float) -> list[RouterAction]:
        for pool in self.pools.values():
            for call in pool.queue.calls() + pool.late.calls():
                if call.gateway_id == event.gateway_id:
                    self._forget(pool, call.call_id)
        return []

    def _profile_changed(self, event: ProfileChanged, now: float) -> list[RouterAction]:
        pool = self.pools.get(event.profile.model)
        if pool is not None:
            pool.pace.profile = event.profile
        return []

    def _tick(self, event: Tick, now: float) -> list[RouterAction]:
        actions: list[RouterAction] = []
        for pool in self.pools.values():
            for resident in pool.expired(now):
                pool.release(resident.call.call_id)
                self._model_of.pop(resident.call.call_id, None)
            actions += self._schedule(pool, now)
        return actions

    def _schedule(self, pool: Pool, now: float) -> list[RouterAction]:
        actions: list[RouterAction] = []
        if not pool.num_queued:
            return actions
        while (call := self._next(pool, now)) is not None:
            assigned = self._place(pool, call, now)
            if assigned is None:
                break
            pool.queue.remove(call.call_id)
            actions.append(assigned)
        for lost in pool.queue.pop_lost(now):
            self._model_of.pop(lost.call_id, None)
            actions.append(Reject(lost, Outcome.EXPIRED, "could no longer end in time while it waited"))
        while (call := pool.late.first()) is not None:
            late_seats = max(1, int(self.settings.late_share * pool.num_seats))
            busy = len(pool.queue) > 0 or len(pool.placed) >= BUSY * pool.num_seats
            if busy and pool.num_late >= late_seats:
                break
            assigned = self._place(pool, call, now)
            if assigned is None:
                break
            pool.late.remove(call.call_id)
            actions.append(assigned)
        return actions

    def _next(self, pool: Pool, now: float) -> QueuedCall | None:
        """The call to place next: the first in order of those that can all still be in time; where not all can, or the
        first one waits for the sake of others, tenants within their shares come before those over them."""
        first = pool.queue.first()
        if first is None or not self.settings.triage or len(pool.queue) < 2:
            return first
        free_places = sum([max(0, load.free_places) for load in pool.replicas.values()])
        if free_places == 0:
            return None
        held = pool.is_held(first, now)
        if len(pool.queue) <= free_places and not held:
            return first
        kept = claims = pool.queue.claims()
        if len(claims) > free_places:
            kept = keep(claims, len(pool.replicas), now, spare=lambda: _can_spare(pool, claims, now))
        if held or len(kept) < len(claims):
            kept.sort(key=lambda claim: (claim.standing.over_share, claim.key))
            return pool.queue.get(kept[0].name) if kept else first
        return first

    def _place(self, pool: Pool, call: QueuedCall, now: float) -> Assign | None:
        if not pool.replicas:
            return None
        if pool.is_held(call, now):
            return None
        context = RoutingContext(
            now,
            pool.pace.profile,
            pool.pace.traffic,
            pool.num_placed,
            self._is_patient(pool, call, now),
            self.settings.harm_bound,
        )
        decision = self._route(call, list(pool.replicas.values()), context)
        if decision.worker_id is None:
            pool.hold(call, now + HOLD_S)
            return None
        load = pool.reserve(call, decision.worker_id, decision.expected_finish, now)
        key = self._order(call, pool.pace.predicted_s(call, call.output.q50))
        return Assign(call, load.worker_id, load.address, now if key == NEVER else key, decision.reason)

    def _is_patient(self, pool: Pool, call: QueuedCall, now: float) -> bool:
        """Whether the call can wait for the sake of those placed: few wait, and all of them have time; one of a tenant
        over its share has to."""
        settings = self.settings
        if call.over_share and not call.late:
            return True
        if (
            not settings.protect
            or call.late
            or len(pool.replicas) < 2
            or len(pool.queue) > settings.patience_share * pool.num_seats
        ):
            return False
        return room_s(pool.queue.claims(), len(pool.replicas), now) > 0

    def _pool_of(self, call_id: str) -> Pool | None:
        model = self._model_of.get(call_id)
        return self.pools[model] if model is not None else None

    def _forget(self, pool: Pool, call_id: str) -> None:
        pool.queue.remove(call_id)
        pool.late.remove(call_id)
        self._model_of.pop(call_id, None)

    def _gone(self, residents: list[Any]) -> None:
        for resident in residents:
            self._model_of.pop(resident.call.call_id, None)


def _can_spare(pool: Pool, claims: Sequence[Claim], now: float) -> bool:
    """Whether the pool can do what it is asked for, so that nobody who is kept delays those still to come."""
    return pool.arrivals.engines(now, math.fsum([claim.work_s for claim in claims])) < len(pool.replicas)
