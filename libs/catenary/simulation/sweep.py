"""A scenario under several loads and policies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from catenary.simulation.consumed import CallTime, call_times
from catenary.simulation.report import Report
from catenary.simulation.scenario import Scenario, load_scenario
from catenary.simulation.simulate import simulate


@dataclass(frozen=True, slots=True)
class Point:
    """One simulation: ``load`` multiplies the scenario's arrivals."""

    load: float
    policy: str
    report: Report
    calls: Sequence[CallTime]


@dataclass(frozen=True, slots=True)
class Sweep:
    path: Path
    loads: Sequence[float]
    policies: Sequence[str]
    seed: int = 1
    trace: Path | None = None
    overrides: Sequence[str] = ()

    def run(self) -> Iterator[Point]:
        """Policy by policy, the loads in order.

        Raises:
            ScenarioError: the scenario, a policy or the trace cannot be used.
        """
        for policy in self.policies:
            for load in self.loads:
                scenario = at_load(load_scenario(self.path, policy, self.overrides), load)
                report, cluster = simulate(scenario, policy, self.seed, self.trace)
                yield Point(load, policy, report, call_times(cluster, scenario))


def at_load(scenario: Scenario, load: float) -> Scenario:
    """The scenario with ``load`` times its arrivals."""
    work = scenario.work.model_copy(update={"rate": scenario.work.rate * load})
    return scenario.model_copy(update={"work": work})
