"""How well the workflows of each tenant keep their objective, from their newest runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median, quantiles

from catenary.client import Run
from catenary.model.outcome import Outcome

_FAULTLESS = (Outcome.CANCELLED, Outcome.SKIPPED)


@dataclass(frozen=True, slots=True)
class Objective:
    """One (workflow, tenant): ``attainment`` of its runs that ended, against ``target``. Seconds of succeeded runs.

    ``budget_left`` is the share of the misses that the target allows and that have not happened; below 0: overdrawn.
    """

    workflow: str
    tenant: str
    num_runs: int
    num_missed: int
    target: float
    e2e_median_s: float
    e2e_p95_s: float

    @property
    def attainment(self) -> float:
        return 1 - self.num_missed / self.num_runs

    @property
    def budget_left(self) -> float:
        allowed = (1 - self.target) * self.num_runs
        return 1 - self.num_missed / allowed if allowed else 0.0


def objectives(runs: Iterable[Run]) -> list[Objective]:
    """Of admitted runs with a deadline that have ended, cancelled ones left out."""
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        if run.deadline_s and run.outcome is not None and run.outcome not in _FAULTLESS:
            groups[run.workflow, run.tenant].append(run)
    return [_objective(workflow, tenant, group) for (workflow, tenant), group in sorted(groups.items())]


def _objective(workflow: str, tenant: str, runs: list[Run]) -> Objective:
    times = sorted(run.e2e_s for run in runs if run.succeeded)
    return Objective(
        workflow=workflow,
        tenant=tenant,
        num_runs=len(runs),
        num_missed=sum(not run.met for run in runs),
        target=next((run.attainment for run in runs if run.attainment), 0.0),
        e2e_median_s=median(times) if times else 0.0,
        e2e_p95_s=quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else sum(times),
    )
