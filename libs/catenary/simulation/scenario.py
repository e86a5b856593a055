"""A scenario file: the workflow, the engines, the work that arrives and what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from catenary.core.gateway.settings import GatewaySettings
from catenary.core.router.settings import RouterSettings
from catenary.policy.admission import ADMISSIONS
from catenary.policy.ordering import ORDERINGS
from catenary.policy.routing import ROUTINGS
from catenary.simulation.faults import Fault, SlowStart, WorkerCrash, WorkerDrain
from catenary.simulation.presets import PRESETS
from catenary.simulation.sections import (
    Delays,
    ModelSection,
    Objective,
    ProvisionerSection,
    Seconds,
    Section,
    WorkSection,
)


class ScenarioError(Exception):
    """The scenario cannot be used. The text has one line per wrong value: its name, the value and the bound."""


class Scenario(Section):
    """``replicas``: engines per model awake at first, one worker and one accelerator each. ``accelerators`` of 0: each
    keeps its model. Otherwise there are so many, every model resident on each; more than one awake at a time only where
    ``provisioner.awake_together`` allows it and they fit into ``accelerator_memory_gib``. ``host_memory_gib`` of
    each worker holds the weights of what sleeps (0: all of them); what has no room there is read again, ``reload_s``,
    when it wakes, and from disk, ``prefetch_s``, unless the plan has it read before. ``sleep_s`` and ``wake_s`` hold
    for all models."""

    name: str
    workflow: dict[str, Any]
    models: dict[str, ModelSection]
    replicas: dict[str, Annotated[int, Field(ge=0, le=1000)]]
    accelerators: int = Field(default=0, ge=0, le=1000)
    accelerator_memory_gib: float = Field(default=0.0, ge=0, le=100_000)
    host_memory_gib: float = Field(default=0.0, ge=0, le=100_000)
    sleep_s: Seconds | None = None
    wake_s: Seconds | None = None
    provisioner: ProvisionerSection = Field(default_factory=ProvisionerSection)
    work: WorkSection
    objective: Objective = Field(default_factory=Objective)
    delays: Delays = Field(default_factory=Delays)
    gateways: int = Field(default=1, ge=1, le=64)
    gateway: dict[str, Any] = Field(default_factory=dict)
    router: dict[str, Any] = Field(default_factory=dict)
    faults: list[Fault] = Field(default_factory=list, max_length=1000)

    @field_validator("gateway")
    @classmethod
    def _gateway_values(cls, values: dict[str, Any]) -> dict[str, Any]:
        return _checked(values, GatewaySettings, {"admission": ADMISSIONS})

    @field_validator("router")
    @classmethod
    def _router_values(cls, values: dict[str, Any]) -> dict[str, Any]:
        return _checked(values, RouterSettings, {"ordering": ORDERINGS, "routing": ROUTINGS})

    @model_validator(mode="after")
    def _replicas_fit(self) -> Scenario:
        awake = sum(self.replicas.values())
        if self.accelerators and awake > self.accelerators:
            raise ValueError(f"replicas: {awake} awake; accelerators: {self.accelerators}, one awake on each")
        return self

    @model_validator(mode="after")
    def _replicas_name_models(self) -> Scenario:
        for model in self.replicas:
            if model not in self.models:
                raise ValueError(f"replicas: unknown model {model!r}; known: {', '.join(sorted(self.models))}")
        return self

    @model_validator(mode="after")
    def _faults_name_workers(self) -> Scenario:
        known = [name for name, _ in self.workers()]
        for fault in self.faults:
            if isinstance(fault, WorkerCrash | SlowStart | WorkerDrain) and fault.worker not in known:
                raise ValueError(f"faults: unknown worker {fault.worker!r}; known: {', '.join(known)}")
        return self

    def workers(self) -> list[tuple[str, str]]:
        """(name, model that is awake at first) of each worker; the model is empty where none is."""
        awake = [(f"{model}-{i}", model) for model, count in self.replicas.items() for i in range(count)]
        return awake + [(f"spare-{i}", "") for i in range(self.accelerators - len(awake))]


def load_scenario(path: Path, policy: str = "catenary", overrides: Sequence[str] = ()) -> Scenario:
    """The file with a preset of policies and ``name.of.value=yaml`` overrides on top.

    Raises:
        ScenarioError: the file cannot be read, the preset is unknown, or a value is wrong.
    """
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ScenarioError(f"{path}: cannot be read: {why}") from error
    if not isinstance(data, dict):
        raise ScenarioError(f"{path}: must be a mapping, is a {type(data).__name__}")
    if policy not in PRESETS:
        raise ScenarioError(f"policy: unknown {policy!r}; known: {', '.join(PRESETS)}")
    merged = PRESETS[policy](data)
    for override in overrides:
        _override(merged, override)
    return parse_scenario(merged)


def parse_scenario(data: Mapping[str, Any]) -> Scenario:
    """Raises ScenarioError."""
    try:
        return Scenario(**data)
    except ValidationError as error:
        raise ScenarioError("\n".join(_problem(e) for e in error.errors())) from error


def _override(data: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    if not equals or not name:
        raise ScenarioError(f"--set {override!r}: must have the form name.of.value=value")
    *parents, last = name.split(".")
    place: Any = data
    for part in parents:
        place = place[int(part)] if isinstance(place, list) and part.isdigit() else _child(place, part, name)
    if not isinstance(place, dict):
        raise ScenarioError(f"--set {name}: has no such value")
    place[last] = yaml.safe_load(text)


def _child(place: Any, part: str, name: str) -> Any:
    if not isinstance(place, dict):
        raise ScenarioError(f"--set {name}: has no such value")
    return place.setdefault(part, {})


def _checked(
    values: dict[str, Any],
    settings: type[GatewaySettings] | type[RouterSettings],
    policies: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Values of a core's settings as they were given, once all of them are known and of the right type."""
    known = {field.name for field in fields(settings)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    for name, choices in policies.items():
        if values.get(name, next(iter(choices))) not in choices:
            raise ValueError(f"{name}: unknown {values[name]!r}; known: {', '.join(choices)}")
    try:
        TypeAdapter(settings).validate_python(values)
    except ValidationError as error:
        raise ValueError("; ".join(_problem(e) for e in error.errors())) from error
    return values


def _problem(error: ErrorDetails) -> str:
    place = ".".join(map(str, error["loc"])) or "scenario"
    if error["type"] == "value_error":
        return f"{place}: {error['msg'].removeprefix('Value error, ')}"
    return f"{place}: {error['msg']} (value: {repr(error['input'])[:80]})"
