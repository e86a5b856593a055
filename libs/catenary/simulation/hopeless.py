"""Ends a simulation whose target is out of reach for certain."""

from __future__ import annotations

from collections.abc import Collection

from catenary.core.router import Assign
from catenary.model.run import Run, RunEvent
from catenary.simulation.cluster import Cluster

LEAST_ENDED = 100
"""Runs that tell where time is lost."""


class Hopeless:
    """A watcher. Rule: once more than ``allowed`` of the runs that count have missed, nothing that follows can bring
    the others up to the target; the cluster is stopped when a hundred have ended."""

    def __init__(self, counted: Collection[str], allowed: float) -> None:
        self._counted = counted
        self._allowed = allowed
        self.ended_runs = 0
        self.missed_runs = 0

    def stepped(self, cluster: Cluster) -> None: ...

    def assigned(self, action: Assign, cluster: Cluster) -> None: ...

    def published(self, event: RunEvent, cluster: Cluster) -> None: ...

    def refused(self, run_id: str, cluster: Cluster) -> None:
        self._count(run_id, False, cluster)

    def ended(self, run: Run, cluster: Cluster) -> None:
        self._count(run.run_id, run.met, cluster)

    def _count(self, run_id: str, met: bool, cluster: Cluster) -> None:
        if run_id not in self._counted:
            return
        self.ended_runs += 1
        self.missed_runs += not met
        if self.missed_runs > self._allowed and self.ended_runs >= LEAST_ENDED:
            cluster.stop()
