"""When the runs of a gateway are looked at again: their deadlines, their last ends, and whether they are lost."""

from __future__ import annotations

import heapq

from catenary.core.gateway.active import Actions, ActiveRuns
from catenary.core.gateway.course import RunCourse
from catenary.core.gateway.events import Tick
from catenary.core.gateway.run import ActiveRun
from catenary.model.dispatch import NEVER
from catenary.model.outcome import Outcome
from catenary.model.workflow import OnMiss
from catenary.policy.slack import longest, shortest_way
from catenary.policy.span import Z95

ENTRIES_PER_RUN = 4
SPARE_ENTRIES = 256


class Deadlines:
    """A heap of (time, run). An entry of a run that has ended is passed over, and goes once there are many of them."""

    def __init__(self, active: ActiveRuns, course: RunCourse) -> None:
        self._active = active
        self._course = course
        self._settings = active.settings
        self._timers: list[tuple[float, str]] = []

    def next_timer(self) -> float | None:
        """When the next Tick is due."""
        return self._timers[0][0] if self._timers else None

    def watch(self, run: ActiveRun, now: float) -> None:
        """Look at the run again soon, where deadlines are acted upon."""
        if run.deadline != NEVER and self._settings.shed_lost:
            self._recheck_at(run, now + self._settings.recheck_s)

    def tick(self, event: Tick, now: float) -> Actions:
        actions: Actions = []
        while self._timers and self._timers[0][0] <= now:
            _, run_id = heapq.heappop(self._timers)
            run = self._active.runs.get(run_id)
            if run is not None and run.deadline_s is not None:
                actions += self._recheck(run, now) if now < run.deadline else self._overdue(run, run.deadline_s, now)
        return actions

    def _overdue(self, run: ActiveRun, deadline_s: float, now: float) -> Actions:
        multiple = self._settings.late_multiple
        end_at = run.submitted_at + deadline_s * multiple
        if now >= end_at:
            reason = f"not finished at {multiple:g} times its deadline of {deadline_s:g} s"
            return self._course.end(run, Outcome.EXPIRED, reason, now)
        if run.on_miss is OnMiss.FINISH:
            self._push(end_at, run)
        if run.late:
            return []
        return self._course.lose(run, f"deadline of {deadline_s:g} s has passed", now)

    def _recheck(self, run: ActiveRun, now: float) -> Actions:
        """A run that is lost by now makes room, where anybody waits for it."""
        if run.late:
            self._recheck_at(run, run.deadline)
            return []
        left = run.deadline - now
        if not self._contended(run):
            self._recheck_at(run, now + self._settings.recheck_s)
            return []
        rest = longest(shortest_way(self._active.forecaster.path(run)))
        self._recheck_at(run, now + max(self._settings.recheck_s, (left - rest.at(Z95)) / 2))
        chance = rest.probability_within(left)
        if chance >= self._settings.lost_probability:
            return []
        return self._course.lose(run, f"P(in time) is {chance:.3f} with {left:.2f} s left", now)

    def _recheck_at(self, run: ActiveRun, at: float) -> None:
        self._push(min(run.deadline, at), run)

    def _push(self, at: float, run: ActiveRun) -> None:
        heapq.heappush(self._timers, (at, run.run_id))
        runs = self._active.runs
        if len(self._timers) > ENTRIES_PER_RUN * len(runs) + SPARE_ENTRIES:
            self._timers = [entry for entry in self._timers if entry[1] in runs]
            heapq.heapify(self._timers)

    def _contended(self, run: ActiveRun) -> bool:
        pools = self._active.forecaster.pools
        for call in run.calls.values():
            pool = pools.get(call.model)
            if pool is not None and pool.is_contended:
                return True
        return False
