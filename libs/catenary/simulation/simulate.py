"""From a scenario to its report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from catenary.model.compiled import CompiledWorkflow
from catenary.model.spec import SpecError, compile_workflow, parse_workflow
from catenary.model.workflow import Limits
from catenary.simulation.cluster import Cluster
from catenary.simulation.ends import SubmittedRun
from catenary.simulation.job import Job
from catenary.simulation.parts import true_profiles
from catenary.simulation.report import Report, summarize
from catenary.simulation.scenario import Scenario, ScenarioError
from catenary.simulation.trace import read_trace
from catenary.simulation.unloaded import unloaded
from catenary.simulation.watcher import Watcher
from catenary.simulation.workload import duration_s, generate_jobs, most_items

LIMITS = Limits()


def simulate(
    scenario: Scenario,
    policy: str,
    seed: int,
    trace: Path | None = None,
    watcher: Watcher | None = None,
) -> tuple[Report, Cluster]:
    """Run the scenario to its end.

    Raises:
        ScenarioError: the workflow or the trace cannot be used.
    """
    cluster, arrivals_s = prepare(scenario, seed, trace, watcher)
    cluster.run()
    return summarize(scenario.name, str(trace) if trace else None, policy, cluster, arrivals_s), cluster


def prepare(
    scenario: Scenario, seed: int, trace: Path | None = None, watcher: Watcher | None = None
) -> tuple[Cluster, float]:
    """The cluster before its first event, and for how many seconds runs arrive."""
    workflow = _compiled(scenario)
    if trace is not None:
        jobs = read_trace(trace, list(scenario.work.inputs), list(workflow.by_name))
        arrivals_s = jobs[-1].arrival_s if jobs else 0.0
    else:
        jobs = generate_jobs(scenario.work, most_items(workflow, LIMITS), seed)
        arrivals_s = duration_s(scenario.work)
    profiles = true_profiles(scenario)
    known = [
        job if job.own_latency_s else replace(job, own_latency_s=unloaded(job, workflow, profiles, LIMITS).latency_s)
        for job in jobs
    ]
    submitted = [SubmittedRun(job, _deadline_s(scenario, job)) for job in known]
    return Cluster(scenario, workflow, submitted, watcher), arrivals_s


def _compiled(scenario: Scenario) -> CompiledWorkflow:
    try:
        workflow = compile_workflow(parse_workflow(scenario.workflow), LIMITS, scenario.models)
    except SpecError as error:
        raise ScenarioError(f"workflow: {error}") from error
    missing = [compiled.call.name for compiled in workflow.calls if compiled.call.name not in scenario.work.outputs]
    if missing:
        raise ScenarioError(f"work.outputs: no output lengths for {', '.join(missing)}")
    return workflow


def _deadline_s(scenario: Scenario, job: Job) -> float | None:
    objective = scenario.objective
    if objective.own is not None:
        return objective.own * job.own_latency_s
    return objective.fixed_s
