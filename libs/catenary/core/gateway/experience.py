"""What runs that ended have taught a gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from catenary.core.gateway.active import ActiveRuns
from catenary.policy import lengths, path_errors, run_shapes
from catenary.policy.length_window import Sample


@dataclass(frozen=True, slots=True)
class Experience:
    """Output lengths, the shapes of runs, by (tenant, workflow) whether the latest runs were in time, oldest first, and
    how far predicted ends were off. Each mapping begins with what was seen last."""

    lengths: Mapping[lengths.Key, Sequence[Sample]] = field(default_factory=dict)
    shapes: Mapping[run_shapes.Key, run_shapes.CallShape] = field(default_factory=dict)
    ends: Mapping[tuple[str, str], Sequence[bool]] = field(default_factory=dict)
    errors: Mapping[path_errors.Key, path_errors.PathError] = field(default_factory=dict)


def num_observed(active: ActiveRuns) -> int:
    """Grows with everything that is learned."""
    forecaster = active.forecaster
    learning = (forecaster.lengths, forecaster.shapes, active.budgets, forecaster.path_errors)
    return sum(one.num_observed for one in learning)


def experience_of(active: ActiveRuns, max_keys: int) -> Experience:
    """At most ``max_keys`` entries of each kind, those seen last."""
    forecaster = active.forecaster
    return Experience(
        forecaster.lengths.known(max_keys),
        forecaster.shapes.known(max_keys),
        active.budgets.known(max_keys),
        forecaster.path_errors.known(max_keys),
    )


def learn(active: ActiveRuns, experience: Experience) -> None:
    """Begin with what an earlier process of the gateway has learned."""
    active.forecaster.lengths.learn(experience.lengths)
    active.forecaster.shapes.learn(experience.shapes)
    active.budgets.learn(experience.ends)
    active.forecaster.path_errors.learn(experience.errors)
