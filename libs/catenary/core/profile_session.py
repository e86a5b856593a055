"""One measurement of an engine: which point comes next, and what has been seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from catenary.core.profile_grid import EngineBounds, plan_grid
from catenary.model.profile import EngineProfile
from catenary.model.profile_point import GridPoint, ProfilePoint
from catenary.policy.profile_fit import Fit, fit_profile

LEAST_POINTS = 6
QUICK_BUDGET_S = 30.0
FULL_BUDGET_S = 900.0


@dataclass(slots=True)
class ProfileSession:
    """Goes through the grid again and again until each point has ``repeats`` samples or ``budget_s`` is used up.

    An iteration of the engine computes ``iteration_tokens`` prompt tokens at most (0: any number).

    The first ``LEAST_POINTS`` are measured whatever the budget, so that a slow engine still gets a profile.
    """

    points: tuple[GridPoint, ...]
    started: float
    repeats: int = 3
    budget_s: float = QUICK_BUDGET_S
    samples: dict[tuple[GridPoint, int], list[float]] = field(default_factory=dict)
    taken: int = 0
    iteration_tokens: int = 0

    @classmethod
    def plan(cls, bounds: EngineBounds, quick: bool, now: float) -> ProfileSession:
        points = plan_grid(bounds, quick)
        tokens = bounds.max_num_batched_tokens
        if quick:
            return cls(points, now, iteration_tokens=tokens)
        return cls(points, now, repeats=5, budget_s=FULL_BUDGET_S, iteration_tokens=tokens)

    @property
    def total(self) -> int:
        return len(self.points) * self.repeats

    def next_point(self, now: float) -> GridPoint | None:
        """The point to measure now; None when the session is complete."""
        if self.taken >= self.total:
            return None
        if self.taken >= min(LEAST_POINTS, len(self.points)) and now - self.started >= self.budget_s:
            return None
        return self.points[self.taken % len(self.points)]

    def record(self, point: GridPoint, seconds: float, steps: int = 1) -> None:
        """Take a sample; those with another number of ``steps`` are kept apart."""
        self.samples.setdefault((point, steps), []).append(seconds)
        self.taken += 1

    def fit(self, base: EngineProfile) -> Fit:
        """Raises ValueError where no point of a kind has been measured."""
        points = [
            ProfilePoint(point, median(seen), len(seen), steps=steps) for (point, steps), seen in self.samples.items()
        ]
        in_order = sorted(points, key=lambda p: self.points.index(p.point))
        return fit_profile(base, in_order, self.iteration_tokens)
