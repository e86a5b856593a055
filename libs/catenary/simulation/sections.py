"""The parts of a scenario file, with their bounds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from catenary.policy.provisioning.context import Bounds, PlanSettings

Seconds = Annotated[float, Field(ge=0, le=86_400)]
Positive = Annotated[float, Field(gt=0, le=86_400)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSection(Section):
    """An engine's iteration model (see catenary.model.profile) and how the pool uses it. ``believed_factor``: what
    the cores take its times to be, relative to the truth. ``memory_gib``: of the accelerator's, while awake;
    ``weights_gib``: of the host's, while asleep."""

    prefill_base_s: Seconds = 0.005
    prefill_token_s: Seconds = 0.0001
    prefill_token2_s: Seconds = 0.0
    prefill_curve: tuple[tuple[Seconds, Seconds], ...] = ()
    step_base_s: Seconds = 0.01
    step_seq_s: Seconds = 0.0002
    step_context_s: Seconds = 0.0
    submit_s: Seconds = 0.0
    max_num_seqs: int = Field(default=16, ge=1, le=4096)
    kv_capacity_tokens: int = Field(default=0, ge=0)
    lookahead: int = Field(default=2, ge=0, le=1_000_000)
    default_output_tokens: int = Field(default=128, ge=1)
    start_s: Seconds = 0.0
    sleep_s: Seconds = 0.4
    wake_s: Seconds = 0.5
    believed_factor: float = Field(default=1.0, gt=0, le=10)
    memory_gib: float = Field(default=0.0, ge=0, le=100_000)
    weights_gib: float = Field(default=0.0, ge=0, le=100_000)
    reload_s: Seconds = 0.0
    prefetch_s: Seconds = 0.0
    sharing_loss: float = Field(default=0.0, ge=0, le=100)


class Lengths(Section):
    """Lognormal lengths, rounded and clipped."""

    median: float = Field(gt=0)
    sigma: float = Field(ge=0, le=5)
    min: int = Field(default=1, ge=1)
    max: int = Field(default=1_000_000, ge=1)


class OutputSection(Section):
    """``mark`` stands at the start of the text with ``mark_probability``, for conditions to find."""

    tokens: Lengths
    mark: str = ""
    mark_probability: float = Field(default=1.0, ge=0, le=1)


class InputSection(Section):
    """A text of ``tokens``, or a list of ``items`` (low, high) such texts."""

    tokens: Lengths
    items: tuple[int, int] | None = None


class Phase(Section):
    """``load`` times the workload's rate for ``duration_s``; ``outputs`` replaces medians of output lengths."""

    duration_s: Positive
    load: float = Field(default=1.0, gt=0, le=1000)
    outputs: dict[str, float] = Field(default_factory=dict)


class WorkSection(Section):
    """``rate``: runs per second at load 1.0. Gamma arrivals have the given coefficient of variation of their gaps.
    ``tenants``: what part of the runs is whose; empty: one tenant's."""

    rate: float = Field(gt=0, le=100_000)
    arrivals: Literal["poisson", "gamma"] = "poisson"
    gap_cv: float = Field(default=1.0, gt=0, le=100)
    phases: list[Phase] = Field(min_length=1, max_length=1000)
    tenants: dict[str, Positive] = Field(default_factory=dict)
    inputs: dict[str, InputSection] = Field(default_factory=dict)
    outputs: dict[str, OutputSection] = Field(default_factory=dict)


class Objective(Section):
    """The deadline of each run: the workflow's own, ``fixed_s``, or ``own`` times its unloaded latency."""

    fixed_s: Positive | None = None
    own: float | None = Field(default=None, gt=0, le=1000)

    @model_validator(mode="after")
    def _one_of(self) -> Objective:
        if self.fixed_s is not None and self.own is not None:
            raise ValueError("fixed_s and own exclude each other; leave one out")
        return self


class Delays(Section):
    """Network (one way) and store in seconds, and the intervals of snapshots, pool reports and what gateways
    tell each other of their demand."""

    network_s: Seconds = 0.0005
    store_s: Seconds = 0.001
    snapshot_interval_s: Positive = 0.2
    pools_interval_s: Positive = 0.1
    backlog_interval_s: Positive = 0.25
    snapshot_delay_s: Seconds = 0.0


class ModelBounds(Section):
    """Replicas of one model; see catenary.policy.provisioning.context."""

    min_awake: int = Field(default=0, ge=0, le=1024)
    max_awake: int = Field(default=1024, ge=0, le=1024)
    keep_warm: int = Field(default=0, ge=0, le=1024)


class ProvisionerSection(Section):
    """How models are moved over the accelerators; see catenary.policy.provisioning.context for the fields. A plan is
    made every ``interval_s``."""

    policy: Literal["static", "reactive", "risk"] = "static"
    interval_s: Positive = 1.0
    budget: int = Field(default=1024, ge=1, le=1024)
    horizon_s: Positive = 8.0
    replica_price: float = Field(default=0.0, ge=0, le=1000)
    hysteresis_s: Seconds = 2.0
    dwell_s: Seconds = 15.0
    idle_release_s: Seconds = 0.0
    target_calls: float = Field(default=8.0, gt=0, le=4096)
    attainment: float = Field(default=0.95, gt=0, lt=1)
    awake_together: int = Field(default=1, ge=1, le=64)
    prefetch: bool = True
    models: dict[str, ModelBounds] = Field(default_factory=dict)

    def settings(self) -> PlanSettings:
        return PlanSettings(**self.model_dump(exclude={"policy", "interval_s", "models"}))

    def bounds(self) -> dict[str, Bounds]:
        return {name: Bounds(**section.model_dump()) for name, section in self.models.items()}
