"""What ``catenary plan`` reads: workflows with the profiles of their models, or a scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from catenary.cli.plan_profiles import ProfileSources, profiles_of
from catenary.model.compiled import CompiledWorkflow
from catenary.model.profile import EngineProfile
from catenary.model.spec import SpecError, compile_workflow, load_workflow, parse_workflow
from catenary.model.workflow import InputType, Workflow
from catenary.simulation.planning import LIMITS, WARM_UP_S, Stream
from catenary.simulation.scenario import Scenario, load_scenario
from catenary.simulation.sections import InputSection, Lengths, ModelSection, OutputSection, Phase, WorkSection

PROMPT_SIGMA, OUTPUT_SIGMA = 0.4, 0.6
LIST_ITEMS = (1, 4)
LEAST_RUNS, MOST_RUNS = 600, 5000


@dataclass(frozen=True, slots=True)
class Sizes:
    """Median tokens of a text input and of a call's output; ``outputs`` names exceptions by call."""

    prompt_tokens: int = 256
    output_tokens: int = 128
    outputs: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """``accelerators`` by model; ``assumed`` lists what no file says."""

    base: Scenario
    streams: Sequence[Stream]
    accelerators: Mapping[str, str]
    assumed: Sequence[str] = ()


def is_scenario(path: Path) -> bool:
    try:
        data = yaml.safe_load(path.read_text())
    except yaml.YAMLError:
        return False
    return isinstance(data, Mapping) and "workflow" in data


def from_scenario(path: Path, rate: float | None, attainment: float, deadline_s: float | None) -> Question:
    """The scenario's engines, lengths and arrivals; ``rate`` and ``deadline_s`` in place of its own."""
    scenario = load_scenario(path)
    workflow = compile_workflow(parse_workflow(scenario.workflow), LIMITS, scenario.models)
    rate = rate or scenario.work.rate
    work = scenario.work.model_copy(update={"rate": rate, "phases": [_phase(rate, attainment)]})
    due_s = deadline_s or scenario.objective.fixed_s or workflow.workflow.slo.deadline_s
    stream = Stream(workflow, work, _required(due_s, str(path)))
    return Question(scenario, [stream], dict.fromkeys(scenario.models, "as in the scenario"))


def from_workflows(
    paths: Sequence[Path],
    sources: ProfileSources,
    rate: float,
    attainment: float,
    deadline_s: float | None,
    sizes: Sizes,
) -> Question:
    """``rate``: runs per second of each workflow."""
    written = [_read(path) for path in paths]
    used = sorted({call.model for workflow in written for call in workflow.calls})
    profiles = profiles_of(set(used), sources)
    compiled = [_compiled(workflow, profiles) for workflow in written]
    streams = [
        Stream(
            workflow,
            _work(workflow.workflow, rate, attainment, sizes),
            _required(deadline_s or workflow.workflow.slo.deadline_s, str(path)),
        )
        for path, workflow in zip(paths, compiled, strict=True)
    ]
    base = Scenario(
        name="plan",
        workflow={},
        models={model: model_section(profiles[model], sizes.output_tokens) for model in used},
        replicas={},
        work=streams[0].work,
    )
    assumed = [
        f"text inputs of {sizes.prompt_tokens} tokens and outputs of {sizes.output_tokens} tokens in the median "
        f"(lognormal, sigma {PROMPT_SIGMA} and {OUTPUT_SIGMA}; outputs at most max_tokens)"
    ]
    assumed += [f"{name} gives {tokens} tokens" for name, tokens in (sizes.outputs or {}).items()]
    if any(call.when for workflow in written for call in workflow.calls):
        assumed.append("conditional calls always run")
    if any(kind is InputType.LIST for workflow in written for kind in workflow.inputs.values()):
        assumed.append(f"lists of {LIST_ITEMS[0]} to {LIST_ITEMS[1]} items")
    return Question(base, streams, {model: profiles[model].accelerator for model in used}, assumed)


def model_section(profile: EngineProfile, default_output_tokens: int) -> ModelSection:
    """The engine of a measured profile; what each call costs once besides is booked to its prefill."""
    shared = {field.name for field in fields(EngineProfile)} & set(ModelSection.model_fields)
    values: dict[str, Any] = {name: getattr(profile, name) for name in shared}
    values["prefill_base_s"] += profile.overhead_s
    return ModelSection(**values, default_output_tokens=default_output_tokens)


def _read(path: Path) -> Workflow:
    try:
        return load_workflow(path.read_text(), LIMITS)
    except SpecError as error:
        raise ValueError(f"{path}: {error}") from error


def _compiled(workflow: Workflow, profiles: Mapping[str, EngineProfile]) -> CompiledWorkflow:
    """With its conditional calls as unconditional ones."""
    always = replace(workflow, calls=tuple(replace(call, when=None) for call in workflow.calls))
    return compile_workflow(always, LIMITS, profiles)


def _work(workflow: Workflow, rate: float, attainment: float, sizes: Sizes) -> WorkSection:
    text = InputSection(tokens=Lengths(median=sizes.prompt_tokens, sigma=PROMPT_SIGMA))
    inputs = {
        name: text.model_copy(update={"items": LIST_ITEMS}) if kind is InputType.LIST else text
        for name, kind in workflow.inputs.items()
    }
    outputs = {}
    for call in workflow.calls:
        bound = call.sampling.max_tokens
        median = min((sizes.outputs or {}).get(call.name, sizes.output_tokens), bound)
        fixed = call.sampling.ignore_eos or call.sampling.min_tokens == bound
        lengths = Lengths(median=bound if fixed else median, sigma=0 if fixed else OUTPUT_SIGMA, max=bound)
        outputs[call.name] = OutputSection(tokens=lengths)
    return WorkSection(rate=rate, phases=[_phase(rate, attainment)], inputs=inputs, outputs=outputs)


def _phase(rate: float, attainment: float) -> Phase:
    """Long enough for ten misses at the target."""
    runs = min(max(LEAST_RUNS, 10 / max(1e-6, 1 - attainment)), MOST_RUNS)
    return Phase(duration_s=WARM_UP_S + runs / rate)


def _required(deadline_s: float | None, place: str) -> float:
    if deadline_s is None:
        raise ValueError(f"{place}: no deadline; give slo.deadline in the file, or --deadline")
    return deadline_s
