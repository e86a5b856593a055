"""What arrives: a scenario's workflow with the runs of a trace, or of the scenario's own distributions."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.arrival import Arrival
from catenary.simulation.ends import SubmittedRun
from catenary.simulation.job import BYTES_PER_TOKEN, Job
from catenary.simulation.parts import true_profiles
from catenary.simulation.scenario import Scenario, load_scenario
from catenary.simulation.simulate import prepare
from catenary_worker.emulated_engine import MARK

WARM_UP_RUNS = 20
WARM_UP_S = 4.0


@dataclass(frozen=True, slots=True)
class Work:
    """``workflow``: the scenario's, with a word in each prompt that tells the engine how many tokens to generate."""

    scenario: Scenario
    trace: Path | None
    seed: int
    label: str
    workflow: Mapping[str, Any]
    arrivals: Sequence[Arrival]
    arrivals_s: float

    @property
    def name(self) -> str:
        return self.scenario.name


def load_work(
    scenario_path: Path,
    trace: Path | None = None,
    seed: int = 1,
    overrides: Sequence[str] = (),
    tenants: Sequence[str] = ("default",),
) -> Work:
    """The scenario with the runs of ``trace``, else with runs drawn with ``seed``; tenants by a seeded draw.

    Raises:
        ScenarioError: the scenario or the trace cannot be used.
    """
    scenario = load_scenario(scenario_path, "catenary", overrides)
    cluster, arrivals_s = prepare(scenario, seed, trace)
    draw = random.Random(seed)
    arrivals = [
        _arrival(number, run, scenario.workflow, draw.choice(tenants)) for number, run in enumerate(cluster.submitted)
    ]
    marks = [section.mark for section in scenario.work.outputs.values() if section.mark]
    label = trace.stem if trace is not None else f"{scenario.name}_seed{seed}"
    return Work(scenario, trace, seed, label, engine_workflow(scenario.workflow, marks), arrivals, arrivals_s)


def warm_up(work: Work) -> list[Arrival]:
    """Runs of the same work drawn with a fixed seed, evenly spread over ``WARM_UP_S``; their ends are not counted.

    Their objectives are those of the work: a system that learns from calls may learn what an objective tells.
    """
    chosen = random.Random(0).choices(work.arrivals, k=WARM_UP_RUNS)
    return [replace(one, at_s=WARM_UP_S * place / WARM_UP_RUNS) for place, one in enumerate(chosen)]


def profiles(work: Work) -> dict[str, dict[str, Any]]:
    """The engines' coefficients by model, in the form of catenary.model.profile.EngineProfile."""
    names = ("prefill_base_s", "prefill_token_s", "prefill_token2_s", "step_base_s", "step_seq_s", "step_context_s")
    return {
        model: {
            **{name: getattr(profile, name) for name in names},
            "max_num_seqs": profile.max_num_seqs,
            "kv_capacity_tokens": profile.kv_capacity_tokens,
            "start_s": profile.start_s,
        }
        for model, profile in true_profiles(work.scenario).items()
    }


def switch_times(work: Work) -> dict[str, dict[str, float]]:
    """By model, what an engine takes to go to sleep and to be back (catenary.model.profile.EngineProfile)."""
    found = true_profiles(work.scenario).items()
    return {model: {"sleep_s": profile.sleep_s, "wake_s": profile.wake_s} for model, profile in found}


def engine_workflow(workflow: Mapping[str, Any], marks: Sequence[str] = ()) -> dict[str, Any]:
    """The workflow with ``#out=N`` before each prompt, N from an input of its own; a map's items carry it themselves.

    The word is one more token of the prompt: nothing but an emulated engine reads it. ``marks``: words that conditions
    look for, replaced by the one that emulated engines say.
    """
    calls, inputs = {}, dict(workflow["inputs"])
    for name, call in workflow["calls"].items():
        if "for_each" in call:
            calls[name] = dict(call)
            continue
        inputs[f"{name}_out"] = "string"
        calls[name] = {**call, "prompt": f"#out={{{{ inputs.{name}_out }}}} {call['prompt']}"}
    for call in calls.values():
        if "when" in call:
            for mark in marks:
                call["when"] = call["when"].replace(f"'{mark}'", f"'{MARK}'")
    return {**workflow, "inputs": inputs, "calls": calls}


def _arrival(number: int, run: SubmittedRun, workflow: Mapping[str, Any], tenant: str) -> Arrival:
    job = run.job
    return Arrival(
        number=number,
        at_s=job.arrival_s,
        inputs=_inputs(number, job, workflow),
        deadline_s=run.deadline_s or 0.0,
        own_latency_s=job.own_latency_s,
        output_tokens=sum(answer.tokens for answers in job.answers.values() for answer in answers),
        tenant=tenant,
    )


def _inputs(number: int, job: Job, workflow: Mapping[str, Any]) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    for name, value in job.inputs.items():
        if isinstance(value, str):
            inputs[name] = words(f"r{number}", len(value) // BYTES_PER_TOKEN - 1)
        else:
            answers = _map_answers(name, job, workflow)
            inputs[name] = [
                f"#out={answers[index % len(answers)].tokens}{_marked(answers[index % len(answers)].mark)} "
                + words(f"r{number}", len(item) // BYTES_PER_TOKEN - 1)
                for index, item in enumerate(value)
            ]
    for name, call in workflow["calls"].items():
        if "for_each" not in call:
            answer = job.answers[name][0]
            inputs[f"{name}_out"] = f"{answer.tokens}{_marked(answer.mark)}"
    return inputs


def _map_answers(name: str, job: Job, workflow: Mapping[str, Any]) -> Any:
    """Of the call that maps over the input."""
    for call_name, call in workflow["calls"].items():
        if f"inputs.{name}" in str(call.get("for_each", "")):
            return job.answers[call_name]
    raise ValueError(f"input {name!r} is a list, and no call maps over it")


def _marked(mark: str) -> str:
    return "!" if mark else ""


def words(prefix: str, count: int) -> str:
    """``count`` different words (at least one), each followed by a space: that many tokens of an emulated engine."""
    return "".join(f"{prefix}w{number} " for number in range(max(1, count)))
