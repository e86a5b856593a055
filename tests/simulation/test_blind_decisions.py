"""True output lengths are the engines' alone: scrambling them changes no decision before they show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from catenary.core.router import Assign
from catenary.model.run import Run, RunEvent
from catenary.simulation.cluster import Cluster
from catenary.simulation.job import Answer, Job
from catenary.simulation.scenario import load_scenario
from catenary.simulation.simulate import prepare

SCENARIO = Path(__file__).parent.parent / "scenarios" / "chain_fixed.yaml"
FROM_S, SHORTEST = 3.0, 60
SHOWN_S = FROM_S + SHORTEST * 0.0051
"""No call of a scrambled run can have ended by then: the fastest engine takes 5.1 ms a token."""


class Decisions:
    """Everything decided until ``SHOWN_S``, in order."""

    def __init__(self) -> None:
        self.seen: list[tuple[object, ...]] = []

    def stepped(self, cluster: Cluster) -> None: ...

    def assigned(self, action: Assign, cluster: Cluster) -> None:
        self._note(cluster, action.call.call_id, action.worker_id, action.latest_start, action.reason)

    def published(self, event: RunEvent, cluster: Cluster) -> None:
        self._note(cluster, event)

    def refused(self, run_id: str, cluster: Cluster) -> None:
        self._note(cluster, run_id, "refused")

    def ended(self, run: Run, cluster: Cluster) -> None: ...

    def _note(self, cluster: Cluster, *what: object) -> None:
        if cluster.heap.now < SHOWN_S:
            self.seen.append((cluster.heap.now, *what))


def decisions(scramble: Random | None) -> list[tuple[object, ...]]:
    watcher = Decisions()
    scenario = load_scenario(SCENARIO, "catenary", ["work.phases=[{duration_s: 4, load: 1.6}]"])
    true, _ = prepare(scenario, 7)
    submitted = [
        replace(run, job=_scrambled(run.job, scramble)) if run.job.arrival_s >= FROM_S else run
        for run in true.submitted
    ]
    cluster = Cluster(scenario, next(iter(true.workflows.values())), submitted, watcher)
    cluster.run()
    return watcher.seen


def _scrambled(job: Job, random: Random | None) -> Job:
    answers = {
        name: tuple(Answer(max(SHORTEST, random.randint(1, 400) if random else one.tokens)) for one in given)
        for name, given in job.answers.items()
    }
    return replace(job, answers=answers)


@pytest.mark.parametrize("seed", [1, 2])
def test_scrambled_true_lengths_change_no_decision(seed: int) -> None:
    truth = decisions(None)
    late = [entry for entry in truth if isinstance(entry[0], float) and entry[0] >= FROM_S]
    assert len(late) > 50
    assert decisions(Random(seed)) == truth
