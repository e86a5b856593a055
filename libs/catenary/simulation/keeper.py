"""The worker's own keeper of engine states, as it stands when a simulated worker begins."""

from __future__ import annotations

from collections.abc import Mapping

from catenary.core.worker.engines import EngineKeeper
from catenary.core.worker.events import EngineFacts, ReplicaSettings
from catenary.core.worker.memory import host_shortage
from catenary.core.worker.replica import ReplicaRecord
from catenary.model.worker import DROPPED, IN_HOST, ReplicaState
from catenary.simulation.replica import SimCalls, SimReplica


def make_keeper(replicas: Mapping[str, SimReplica], asleep: bool, budget_bytes: int, host_bytes: int) -> EngineKeeper:
    """The first replica is awake unless ``asleep``; the others sleep, with their weights in host memory as far as these
    fit into ``host_bytes``. Bounds of 0: none."""
    keeper = EngineKeeper(map(_settings, replicas.values()), SimCalls(replicas), budget_bytes, host_bytes)
    records = keeper.records
    for model, record in records.items():
        profile = replicas[model].profile
        record.facts = EngineFacts(weights_bytes=profile.weights_bytes)
        record.start_s = profile.start_s
    for number, record in enumerate(records.values()):
        if number == 0 and not asleep:
            record.change(ReplicaState.AWAKE)
            continue
        record.change(ReplicaState.ASLEEP)
        record.sleep_level = DROPPED if host_shortage(record, records.values(), host_bytes) else IN_HOST
        record.weights_cold = goes_cold(record)
    return keeper


def goes_cold(record: ReplicaRecord) -> bool:
    """Weights that are dropped have to be read from disk again, where the profile says what that takes: a host that has
    no room for them asleep has none in its page cache."""
    return record.sleep_level == DROPPED and record.settings.prefetch_s > 0


def _settings(replica: SimReplica) -> ReplicaSettings:
    profile = replica.profile
    return ReplicaSettings(
        replica.model,
        profile.max_num_seqs,
        replica.lookahead,
        0,
        sleep_s=profile.sleep_s,
        wake_s=profile.wake_s,
        awake_bytes=profile.awake_bytes,
        reload_s=profile.dropped_wake_s,
        prefetch_s=profile.prefetch_s,
    )
