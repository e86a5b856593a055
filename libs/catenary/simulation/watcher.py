"""Who looks on while a cluster is simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from catenary.core.router import Assign
from catenary.model.run import Run, RunEvent

if TYPE_CHECKING:
    from catenary.simulation.cluster import Cluster


class Watcher(Protocol):
    """Told of what the cores decide at the moment they do, and after every event. It changes nothing."""

    def stepped(self, cluster: Cluster) -> None: ...
    def assigned(self, action: Assign, cluster: Cluster) -> None: ...
    def published(self, event: RunEvent, cluster: Cluster) -> None: ...
    def refused(self, run_id: str, cluster: Cluster) -> None: ...
    def ended(self, run: Run, cluster: Cluster) -> None: ...
