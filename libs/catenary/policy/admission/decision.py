"""What an admission policy is given and what it answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from catenary.model.dispatch import PoolState
from catenary.model.outcome import Outcome
from catenary.model.run import Quote
from catenary.policy.span import Span


@dataclass(frozen=True, slots=True)
class AdmissionContext:
    """``path``: the run's predicted time without queues (s); ``models`` that it calls; ``pools`` by model.
    ``briefest``: the path if calls whose lengths are not learned yet gave their fewest tokens; None: all are known.
    ``deferrable``: by model, the share of the work that waits there which need not begin before the deadline.
    ``others_loss``: how many of the runs that are there one more run is expected to cost their deadline."""

    path: Span
    deadline_s: float | None
    models: Collection[str]
    pools: Mapping[str, PoolState]
    min_probability: float = 0.5
    briefest: Span | None = None
    deferrable: Mapping[str, float] = field(default_factory=dict)
    others_loss: float = 0.0


@dataclass(frozen=True, slots=True)
class AdmissionDecision:
    """``outcome`` None: admitted. ``predicted_s`` is the median with queues."""

    outcome: Outcome | None
    reason: str
    probability: float
    predicted_s: float
    quote: Quote
