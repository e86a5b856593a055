"""What the gateway is configured with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from catenary.model.workflow import Limits


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the gateway knows of a model: its context in tokens and the output length assumed before any is learned."""

    name: str
    max_model_len: int = 0
    default_output_tokens: int = 128


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """``late_multiple``: a late run ends EXPIRED at this multiple of its deadline. ``shed_lost`` False: deadlines are
    measured, not acted upon. ``max_attempts`` counts placements that an engine failed.

    ``admit_probability``: a run is refused below this chance to be in time; ``lost_probability``: a run that has
    begun is lost below this one, looked at every ``recheck_s`` while others wait. ``shed_crowded``: runs that a pool
    cannot serve beside those worth more are refused, or lost at their next call; ``crowd_margin``: standard
    deviations of the remaining time that count as needed there, ``expect_s``: seconds of arrivals like the latest
    that count beside the runs that are there; 0: none do, and no run is too dear for those that arrive. ``by_slack``
    False: the router takes calls as they come. ``tenant_weights``: shares of the work where somebody must miss; 1 for
    a tenant that is not named.
    """

    gateway_id: str = "gateway-0"
    admission: str = "feasible"
    admit_probability: float = 0.1
    max_active_runs: int = 10_000
    max_attempts: int = 3
    late_multiple: float = 3.0
    shed_lost: bool = True
    lost_probability: float = 0.05
    recheck_s: float = 0.5
    shed_crowded: bool = True
    crowd_margin: float = 1.25
    expect_s: float = 4.0
    by_slack: bool = True
    tenant_weights: Mapping[str, float] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
