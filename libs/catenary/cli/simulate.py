"""``catenary simulate``: a scenario on the virtual clock."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from catenary.simulation.report import Report
from catenary.simulation.scenario import ScenarioError, load_scenario
from catenary.simulation.simulate import simulate


def simulate_command(
    scenario: Annotated[Path, typer.Argument(help="Scenario file (YAML).")],
    trace: Annotated[Path | None, typer.Option(help="Runs from a CSV file instead of the scenario's arrivals.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 1,
    policy: Annotated[str, typer.Option(help="Set of policies: catenary, fcfs or edf.")] = "catenary",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="A value of the scenario, as name.of.value=value.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Simulate a scenario with the real gateway and router on a virtual clock."""
    try:
        report, _ = simulate(load_scenario(scenario, policy, overrides or ()), policy, seed, trace)
    except ScenarioError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from error
    if as_json:
        print(json.dumps(asdict(report)))
    else:
        print(_text(report))


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
