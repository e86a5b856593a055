"""Replicas set aside for profiling, each until its holder gives it back or stops asking."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplicaLease:
    model: str
    worker_id: str
    address: str
    holder: str
    ends_at: float


class ReplicaLeases:
    """At most one lease per (model, worker)."""

    def __init__(self) -> None:
        self._leases: dict[tuple[str, str], ReplicaLease] = {}

    def put(self, lease: ReplicaLease) -> None:
        self._leases[lease.model, lease.worker_id] = lease

    def get(self, model: str, worker_id: str) -> ReplicaLease | None:
        return self._leases.get((model, worker_id))

    def held_by(self, model: str, holder: str) -> ReplicaLease | None:
        return next((x for x in self._leases.values() if (x.model, x.holder) == (model, holder)), None)

    def remove(self, lease: ReplicaLease) -> None:
        self._leases.pop((lease.model, lease.worker_id), None)

    def take_ended(self, now: float) -> list[ReplicaLease]:
        """Remove and return the leases that were not extended in time."""
        ended = [lease for lease in self._leases.values() if lease.ends_at <= now]
        for lease in ended:
            self.remove(lease)
        return ended
