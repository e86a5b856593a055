"""``catenary plan``: how many replicas a workflow needs."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from catenary.cli.configuration import ConfigOption
from catenary.cli.failures import Exit, UsageProblem, print_json, reporting
from catenary.cli.inputs import option_s
from catenary.cli.options import JsonOption
from catenary.cli.plan_burst import hint, show_standing, standing_answers
from catenary.cli.plan_explain import show_plan_in_force
from catenary.cli.plan_files import (
    Question,
    Sizes,
    from_scenario,
    from_workflows,
    is_scenario,
)
from catenary.cli.plan_profiles import ProfileSources
from catenary.runtime.wire.profile import ProfileError
from catenary.simulation.planning import Answer, Planner, Target, Verdict
from catenary.simulation.scenario import ScenarioError

ExplainOption = Annotated[
    bool, typer.Option("--explain", help="Show the running provisioner's plan with its reasons, and compute nothing.")
]


def plan_command(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Workflow files, or one scenario file (YAML).")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Runs per second of each workflow.", min=0.001)] = None,
    attainment: Annotated[float, typer.Option(help="Share of runs to be in time, 0..1.", min=0.01, max=0.9999)] = 0.95,
    deadline: Annotated[str, typer.Option(help="Of each run, in place of the file's: 8s, 500ms, 2m.")] = "",
    profile: Annotated[
        list[str] | None, typer.Option(metavar="MODEL=FILE", help="A profile to take. May be repeated.")
    ] = None,
    prompt_tokens: Annotated[int, typer.Option(help="Median tokens of a text input.", min=1)] = 256,
    output_tokens: Annotated[
        list[str] | None, typer.Option(metavar="[CALL=]TOKENS", help="Median tokens of an output. May be repeated.")
    ] = None,
    max_accelerators: Annotated[int, typer.Option(help="The bound.", min=1, max=4096)] = 64,
    seed: Annotated[int, typer.Option(help="Seed of the simulated runs.")] = 1,
    burst: Annotated[
        float | None,
        typer.Option(help="Arrivals jump to so many times the rate: what must stand awake?", min=1, max=100),
    ] = None,
    ready_in: Annotated[
        list[str] | None, typer.Option(help="With --burst: more takes calls after so long. May be repeated.")
    ] = None,
    explain: ExplainOption = False,
    config: ConfigOption = None,
    json_output: JsonOption = False,
) -> None:
    """Find how many replicas of each model keep runs in time, by simulation. Exits with 1 where no number does."""
    with reporting(json_output):
        if explain:
            show_plan_in_force(config, json_output)
            return
        if not files:
            raise UsageProblem("FILE is missing; name workflow files or a scenario, or use --explain")
        try:
            deadline_s = option_s("--deadline", deadline) if deadline else None
            waits_s = [option_s("--ready-in", text) for text in ready_in or []]
            sizes = _sizes(prompt_tokens, output_tokens or [])
            question = _question(files, rate, attainment, deadline_s, ProfileSources(profile or (), config), sizes)
        except (ProfileError, ScenarioError) as error:
            raise UsageProblem(str(error)) from error
        costs = dict.fromkeys(question.accelerators, 1)
        target = Target(attainment, costs, max_accelerators, seed)
        with Console(stderr=True).status("simulating; each step runs all arrivals once"):
            answer = Planner(question.base, question.streams, target).answer()
            bursts = standing_answers(question, answer, target, burst, waits_s) if burst and answer.reached else []
        if json_output:
            told = {"accelerators": question.accelerators, "assumed": list(question.assumed)}
            print_json(asdict(answer) | told | {"standing": [asdict(one) for one in bursts]})
        else:
            console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())  # a terminal breaks between words
            _show(console, answer, question, attainment)
            show_standing(console, bursts, answer.verdict, costs)
            if not burst and (text := hint(question)):
                console.print(text)
        if not answer.reached or not all(one.answer.reached for one in bursts):
            raise typer.Exit(Exit.FAILED)


def _question(
    files: list[Path],
    rate: float | None,
    attainment: float,
    deadline_s: float | None,
    sources: ProfileSources,
    sizes: Sizes,
) -> Question:
    if len(files) == 1 and is_scenario(files[0]):
        return from_scenario(files[0], rate, attainment, deadline_s)
    if rate is None:
        raise UsageProblem("--rate: how many runs of each workflow arrive per second? Workflow files do not say")
    return from_workflows(files, sources, rate, attainment, deadline_s, sizes)


def _sizes(prompt_tokens: int, outputs: list[str]) -> Sizes:
    general, named = Sizes().output_tokens, {}
    for entry in outputs:
        call, _, count = entry.rpartition("=")
        if not count.isdigit() or int(count) < 1:
            raise UsageProblem(f"--output-tokens {entry!r}: must be TOKENS or CALL=TOKENS, at least 1")
        if call:
            named[call] = int(count)
        else:
            general = int(count)
    return Sizes(prompt_tokens, general, named)


def _show(console: Console, answer: Answer, question: Question, attainment: float) -> None:
    asked = "; ".join(
        f"{stream.workflow.workflow.name}, {stream.work.rate:g} a second, within {stream.deadline_s:g} s"
        for stream in question.streams
    )
    console.print(f"{attainment * 100:.4g}% of runs in time: {asked}", markup=False)
    verdict = answer.verdict
    if answer.reached:
        table = Table("model", "replicas", "accelerator", box=SIMPLE_HEAD, pad_edge=False)
        for model, count in verdict.replicas.items():
            table.add_row(model, str(count), question.accelerators[model])
        console.print(table)
    else:
        console.print(f"out of reach: {answer.reason}", style="red", markup=False)
        if answer.possible_deadline_s:
            console.print(f"a deadline of {answer.possible_deadline_s:g} s could be kept", markup=False)
    for line in (*_checked(verdict, answer.num_trials), *(f"assumed: {text}" for text in question.assumed)):
        console.print(line, markup=False)


def _checked(verdict: Verdict, num_trials: int) -> tuple[str, str]:
    low, high = verdict.interval
    shown = ", ".join(f"{model} {count}" for model, count in verdict.replicas.items())
    return (
        f"simulated with {shown}: {verdict.attainment:.2%} in time (95 % interval {low:.2%} to {high:.2%})",
        f"{verdict.runs} runs, p50 {verdict.p50_s:.2f} s, p95 {verdict.p95_s:.2f} s; {num_trials} simulations",
    )
