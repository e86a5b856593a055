"""How well durations and chances were predicted: what was said of each call and run against what came."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from catenary.core.gateway.events import ReportCall
from catenary.core.router import Assign
from catenary.model.outcome import Outcome
from catenary.model.run import Run, RunAdmitted, RunEvent
from catenary.simulation.cluster import Cluster

CHANCES = (0.0, 0.5, 0.8, 0.95, 0.99, 1.0)


@dataclass(frozen=True, slots=True)
class Errors:
    """Of ``count`` predictions: the median of |measured - predicted| / measured, of measured / predicted, and the
    shares (0..1) that the predicted median and q90 were not exceeded; ``below_high`` is None where no q90 was given."""

    count: int
    median_error: float
    median_ratio: float
    below_median: float
    below_high: float | None


@dataclass(frozen=True, slots=True)
class Chance:
    """Runs admitted with P(in time) from ``low`` to ``high``: the mean of P, and the share that was in time."""

    low: float
    high: float
    runs: int
    said: float
    came: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """``calls`` by model; ``given_lengths``: the same with the true output length and batch, which leaves the error of
    the engine model alone; ``runs``: end to end, of those that succeeded."""

    calls: dict[str, Errors]
    given_lengths: dict[str, Errors]
    runs: Errors | None
    chances: tuple[Chance, ...]


class CalibrationWatcher:
    """Notes what is said of runs as they are admitted."""

    def __init__(self) -> None:
        self.admitted: dict[str, RunAdmitted] = {}

    def stepped(self, cluster: Cluster) -> None:
        pass

    def assigned(self, action: Assign, cluster: Cluster) -> None:
        pass

    def published(self, event: RunEvent, cluster: Cluster) -> None:
        if isinstance(event.body, RunAdmitted):
            self.admitted[event.run_id] = event.body

    def refused(self, run_id: str, cluster: Cluster) -> None:
        pass

    def ended(self, run: Run, cluster: Cluster) -> None:
        pass

    def calibration(self, cluster: Cluster) -> Calibration:
        by_model: dict[str, list[ReportCall]] = {}
        for report in cluster.ends.reports:
            by_model.setdefault(report.model, []).append(report)
        done = [run for run in cluster.ends.runs.values() if run.outcome is Outcome.SUCCEEDED]
        return Calibration(
            {
                model: errors([(r.forecast_s, r.service_s, r.forecast_high_s) for r in found])
                for model, found in sorted(by_model.items())
            },
            {
                model: errors([(r.predicted_s, r.service_s, None) for r in found])
                for model, found in sorted(by_model.items())
            },
            errors([(run.predicted_s, run.e2e_s, None) for run in done]) if done else None,
            self._chances(cluster),
        )

    def _chances(self, cluster: Cluster) -> tuple[Chance, ...]:
        said = [(body.probability, cluster.ends.runs[run_id].met) for run_id, body in self.admitted.items()]
        found = []
        for low, high in pairwise(CHANCES):
            inside = [(p, met) for p, met in said if low <= p < high or p == high == 1.0]
            if inside:
                mean = statistics.fmean(p for p, _ in inside)
                found.append(Chance(low, high, len(inside), mean, statistics.fmean(met for _, met in inside)))
        return tuple(found)


def errors(predictions: Sequence[tuple[float, float, float | None]]) -> Errors:
    """Of (predicted median, measured, predicted q90), all over 0 s; at least one."""
    highs = [measured <= high for _, measured, high in predictions if high is not None]
    return Errors(
        len(predictions),
        statistics.median(abs(measured - predicted) / measured for predicted, measured, _ in predictions),
        statistics.median(measured / predicted for predicted, measured, _ in predictions),
        statistics.fmean(measured <= predicted for predicted, measured, _ in predictions),
        statistics.fmean(highs) if highs else None,
    )
