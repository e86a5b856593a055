"""Where the time of the calls went: cold starts, queues, prefill, decoding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from catenary.model.outcome import Outcome
from catenary.model.profile import EngineProfile
from catenary.model.run import CallRecord
from catenary.simulation.cluster import Cluster
from catenary.simulation.parts import true_profiles
from catenary.simulation.scenario import Scenario

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class CallTime:
    """One finished call, in seconds. ``cold_s``: the part of its wait in which no replica of its model was awake;
    ``queue_s`` the rest of the wait; ``prefill_s`` its own prompt's; ``decode_s`` what remains, with the prefills of
    others in its engine. ``slack_s``: what was left when it became ready."""

    name: str
    met: bool
    slack_s: float
    cold_s: float
    queue_s: float
    prefill_s: float
    decode_s: float


def call_times(cluster: Cluster, scenario: Scenario) -> list[CallTime]:
    """Of every call that succeeded."""
    profiles = true_profiles(scenario)
    asleep = {model: _without_replica(cluster, model) for model in scenario.models}
    arrivals = {run.job.run_id: run.job.arrival_s for run in cluster.submitted}
    return [
        _time(call, run.met, arrivals[run.run_id] + call.start_s, profiles[call.model], asleep[call.model])
        for run in cluster.ends.runs.values()
        for call in run.calls
        if call.outcome is Outcome.SUCCEEDED
    ]


def _time(call: CallRecord, met: bool, ready_s: float, profile: EngineProfile, asleep: Sequence[Interval]) -> CallTime:
    waited = call.queue_s
    cold = sum(max(0.0, min(end, ready_s + waited) - max(start, ready_s)) for start, end in asleep)
    prefill = min(profile.prefill_s(call.prompt_tokens), max(0.0, call.duration_s - waited))
    decode = max(0.0, call.duration_s - waited - prefill)
    return CallTime(call.ref.name, met, call.slack_before_s, cold, waited - cold, prefill, decode)


def _without_replica(cluster: Cluster, model: str) -> list[Interval]:
    """When no replica of the model was awake."""
    changes = sorted(_changes(cluster, model))
    found: list[Interval] = []
    awake, since = 0, 0.0
    for moment, change in changes:
        if awake == 0 and change > 0 and moment > since:
            found.append((since, moment))
        awake += change
        if awake == 0:
            since = moment
    if awake == 0:
        found.append((since, cluster.heap.now))
    return found


def _changes(cluster: Cluster, model: str) -> Iterator[tuple[float, int]]:
    for worker in cluster.workers.values():
        for start, end in worker.awake_intervals(model):
            yield start, 1
            if end is not None:
                yield end, -1


def mean_times(times: Sequence[CallTime], runs: int) -> Mapping[str, dict[str, float]]:
    """By call in order of appearance: mean seconds per run of each kind."""
    found: dict[str, dict[str, float]] = {}
    for time in times:
        entry = found.setdefault(time.name, dict.fromkeys(KINDS, 0.0))
        for kind in KINDS:
            entry[kind] += getattr(time, f"{kind}_s") / max(1, runs)
    return found


KINDS = ("cold", "queue", "prefill", "decode")
