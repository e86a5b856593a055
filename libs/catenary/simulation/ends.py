"""The runs that a simulation is given, and how they ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from catenary.core.gateway.events import ReportCall
from catenary.model.compiled import CompiledWorkflow
from catenary.model.run import Run, RunRefused
from catenary.simulation.job import Job


@dataclass(frozen=True, slots=True)
class SubmittedRun:
    """``workflow`` None: the cluster's."""

    job: Job
    deadline_s: float | None
    workflow: CompiledWorkflow | None = None


@dataclass(slots=True)
class Ends:
    """How the runs ended; each run is in one of the two."""

    runs: dict[str, Run] = field(default_factory=dict)
    refusals: dict[str, RunRefused] = field(default_factory=dict)
    reports: list[ReportCall] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.runs) + len(self.refusals)
