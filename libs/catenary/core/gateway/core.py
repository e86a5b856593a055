"""The scheduler-gateway: runs and their calls, from admission to outcome. Synchronous; one owner task feeds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from catenary.core.gateway.active import Actions, ActiveRuns
from catenary.core.gateway.attempts import Attempts
from catenary.core.gateway.course import RunCourse
from catenary.core.gateway.deadlines import Deadlines
from catenary.core.gateway.entry import Entry
from catenary.core.gateway.events import (
    BacklogHeard,
    CallAssigned,
    CallEnded,
    CallProgressed,
    CallRejected,
    CallTokenized,
    CancelRequested,
    GatewayEvent,
    PoolsReported,
    ProfileChanged,
    RouterJoined,
    RunAdopted,
    RunCreated,
    RunFenced,
    RunNotCreated,
    RunSubmitted,
    Tick,
    TokenizeFailed,
    WorkerGone,
)
from catenary.core.gateway.experience import Experience, experience_of, learn, num_observed
from catenary.core.gateway.run import ActiveRun
from catenary.core.gateway.settings import GatewaySettings, ModelInfo
from catenary.model.backlog import Backlog
from catenary.model.demand import DemandReport
from catenary.model.outcome import Outcome
from catenary.model.profile import EngineProfile
from catenary.model.run import Run


class GatewayCore:
    """``handle(event, now)`` returns what is to be done. ``profiles`` and ``models`` have the same keys."""

    def __init__(
        self, settings: GatewaySettings, models: Mapping[str, ModelInfo], profiles: Mapping[str, EngineProfile]
    ) -> None:
        active = self._active = ActiveRuns(settings, models, profiles)
        self.forecaster = active.forecaster
        self._course = RunCourse(active)
        self._deadlines = Deadlines(active, self._course)
        entry = Entry(active, self._course, self._deadlines)
        attempts = Attempts(active, self._course)
        self._handlers: dict[type, Callable[[Any, float], Actions]] = {
            RunSubmitted: entry.submitted,
            RunAdopted: entry.adopted,
            RunCreated: entry.created,
            RunNotCreated: entry.not_created,
            RunFenced: entry.fenced,
            CallTokenized: attempts.tokenized,
            TokenizeFailed: attempts.tokenize_failed,
            CallAssigned: attempts.assigned,
            CallRejected: attempts.rejected,
            CallProgressed: attempts.progressed,
            CallEnded: attempts.ended,
            WorkerGone: attempts.worker_gone,
            RouterJoined: attempts.router_joined,
            PoolsReported: self._pools_reported,
            BacklogHeard: self._backlog_heard,
            ProfileChanged: self._profile_changed,
            CancelRequested: self._cancelled,
            Tick: self._deadlines.tick,
        }

    @property
    def runs(self) -> Mapping[str, ActiveRun]:
        return self._active.runs

    def handle(self, event: GatewayEvent, now: float) -> Actions:
        return self._handlers[type(event)](event, now)

    def next_timer(self) -> float | None:
        """When the next Tick is due."""
        return self._deadlines.next_timer()

    def demand(self, incarnation: int, now: float) -> DemandReport:
        """What has arrived and what is still to come, for the provisioner."""
        active = self._active
        return DemandReport(
            active.settings.gateway_id,
            incarnation,
            active.arrivals.counters(),
            active.demand.waves.buckets(now),
            tuple(self.forecaster.pools.values()),
        )

    @property
    def num_observed(self) -> int:
        """Grows with everything that runs teach."""
        return num_observed(self._active)

    def experience(self, max_keys: int) -> Experience:
        """What runs have taught, for the next process: at most ``max_keys`` entries of each kind."""
        return experience_of(self._active, max_keys)

    def learn(self, experience: Experience) -> None:
        """Begin with what an earlier process has learned."""
        learn(self._active, experience)

    def view(self, run_id: str, now: float) -> Run | None:
        run = self._active.runs.get(run_id)
        return run.view(now) if run is not None else None

    def _pools_reported(self, event: PoolsReported, now: float) -> Actions:
        self.forecaster.pools = {pool.model: pool for pool in event.pools}
        return []

    def backlog(self, now: float) -> Backlog:
        """What the other gateways are to hear several times a second."""
        active = self._active
        return Backlog(active.demand.buckets(now), active.shares.used_s(now), active.budgets.told())

    def _backlog_heard(self, event: BacklogHeard, now: float) -> Actions:
        self._active.demand.heard(event.gateway_id, event.backlog.buckets, now)
        self._active.shares.heard(event.gateway_id, event.backlog.used_s, now)
        self._active.budgets.heard(event.gateway_id, event.backlog.ends)
        return []

    def _profile_changed(self, event: ProfileChanged, now: float) -> Actions:
        self.forecaster.profiles[event.profile.model] = event.profile
        return []

    def _cancelled(self, event: CancelRequested, now: float) -> Actions:
        run = self._active.runs.get(event.run_id)
        return [] if run is None else self._course.end(run, Outcome.CANCELLED, event.reason, now)
