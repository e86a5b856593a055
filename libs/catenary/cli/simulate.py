"""``catenary simulate``: a scenario on the virtual clock."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from catenary.simulation.invariants import BrokenInvariant, Invariants
from catenary.simulation.report import Report
from catenary.simulation.scenario import ScenarioError, load_scenario
from catenary.simulation.simulate import simulate
from catenary.simulation.sweep import Sweep


def simulate_command(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="Scenario file (YAML).")],
    trace: Annotated[Path | None, typer.Option(help="Runs from a CSV file instead of the scenario's arrivals.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 1,
    policy: Annotated[str, typer.Option(help="Set of policies: catenary, fcfs or edf.")] = "catenary",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="A value of the scenario, as name.of.value=value.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    invariants: Annotated[bool, typer.Option("--invariants", help="Check the cores after every event.")] = False,
    report: Annotated[Path | None, typer.Option(metavar="DIR", help="Write pictures and a page there.")] = None,
    loads: Annotated[str, typer.Option(help="Loads of the report, as 0.8,1,1.2.")] = "1",
    policies: Annotated[str, typer.Option(help="Policies of the report, as catenary,fcfs.")] = "",
) -> None:
    """Simulate a scenario with the real gateway and router on a virtual clock."""
    try:
        if report is not None:
            names = policies.split(",") if policies else [policy]
            sweep = Sweep(scenario, _loads(loads, trace), names, seed, trace, overrides or ())
            print(_written(sweep, report))
            return
        watcher = Invariants() if invariants else None
        result, _ = simulate(load_scenario(scenario, policy, overrides or ()), policy, seed, trace, watcher)
    except (ScenarioError, BrokenInvariant) as error:
        code, status = (2, "INVALID_ARGUMENT") if isinstance(error, ScenarioError) else (1, "INTERNAL")
        if as_json:
            print(json.dumps({"error": {"code": status, "message": str(error), "reason": ""}}))
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(code) from error
    print(json.dumps(asdict(result)) if as_json else _text(result))


def _written(sweep: Sweep, folder: Path) -> Path:
    try:
        from catenary.simulation.sweep_report import write_report
    except ModuleNotFoundError as error:
        raise ScenarioError(f"--report needs {error.name}: pip install 'catenary[report]'") from error
    scenario = load_scenario(sweep.path, sweep.policies[0], sweep.overrides)
    target = float(scenario.workflow.get("slo", {}).get("attainment", 0.95))
    try:
        return write_report(list(sweep.run()), target, folder)
    except OSError as error:
        raise ScenarioError(f"--report {folder}: {error.strerror or error}") from error


def _loads(text: str, trace: Path | None) -> list[float]:
    try:
        loads = [float(part) for part in text.split(",")]
    except ValueError:
        raise ScenarioError(f"--loads {text!r}: must be numbers separated by commas") from None
    if not all(0 < load <= 1000 for load in loads):
        raise ScenarioError(f"--loads {text!r}: must be above 0 and at most 1000")
    if trace is not None and loads != [1.0]:
        raise ScenarioError("--loads: a trace fixes its load; leave one of --trace and --loads out")
    return sorted(loads)


def _text(report: Report) -> str:
    return "\n".join(
        [
            f"{report.scenario} with {report.policy}: {report.runs} runs, {report.goodput_per_s:.2f}/s in time",
            f"  missed {report.missed:.1%} (refused {report.refused:.1%}), of the longest tenth "
            f"{report.missed_longest_decile:.1%}",
            f"  latency p50 {report.p50_s:.2f} s, p99 {report.p99_s:.2f} s",
            f"  {report.replica_seconds:.0f} replica-seconds, {report.accelerator_seconds:.0f} accelerator-seconds",
        ]
    )
