"""How fast runs arrive now and what they ask for, from the gateways' counters."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from catenary.model.demand import DemandReport, ModelShare, Wave, WorkflowArrivals
from catenary.policy.arrival_rate import WINDOWS_S, jumping_rate

LEAST_SHARES_S = 4.0
LEAST_RUNS = 24
MAX_GATEWAYS = 256
STALE_S = 3.0


@dataclass(frozen=True, slots=True)
class Arriving:
    """One workflow: runs per second, ``mean`` of the counters' increments over recent runs, and how many were seen."""

    workflow: str
    rate: float
    mean: WorkflowArrivals
    seen: float


@dataclass(slots=True)
class _History:
    began: float
    seen: float = 0.0
    increments: deque[tuple[float, WorkflowArrivals]] = field(default_factory=deque)


class ArrivalRates:
    """Per workflow, of all gateways together."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, DemandReport]] = {}
        self._histories: dict[str, _History] = {}

    def take(self, report: DemandReport, now: float) -> None:
        known = self._last.get(report.gateway_id)
        if known is None and len(self._last) >= MAX_GATEWAYS:
            return
        self._last[report.gateway_id] = (now, report)
        before: dict[str, WorkflowArrivals] = {}
        if known is not None and known[1].incarnation == report.incarnation:
            before = {entry.workflow: entry for entry in known[1].workflows}
        for entry in report.workflows:
            increment = _minus(entry, before.get(entry.workflow))
            history = self._histories.setdefault(entry.workflow, _History(now))
            if increment.runs > 0:
                history.increments.append((now, increment))
                history.seen += increment.runs
        self._forget(now)

    def waves(self, now: float) -> list[Wave]:
        """Of all gateways heard of lately, as they were told."""
        return [wave for at, report in self._last.values() if now - at < STALE_S for wave in report.waves]

    def arriving(self, now: float) -> list[Arriving]:
        return [
            Arriving(name, rate, mean, history.seen)
            for name, history in sorted(self._histories.items())
            if history.increments
            for rate in (_rate(history, now),)
            for mean in (self._mean(name, history, now),)
        ]

    def _mean(self, name: str, history: _History, now: float) -> WorkflowArrivals:
        """Of the last seconds: what is predicted of a run gets better with those that have ended."""
        recent: list[WorkflowArrivals] = []
        runs = 0.0
        for at, entry in reversed(history.increments):
            if at <= now - LEAST_SHARES_S and runs >= LEAST_RUNS:
                break
            recent.append(entry)
            runs += entry.runs
        return _mean_of(name, recent)

    def _forget(self, now: float) -> None:
        for history in self._histories.values():
            while len(history.increments) > 1 and history.increments[0][0] < now - 4 * WINDOWS_S[-1]:
                history.increments.popleft()
        for gateway_id in [name for name, (at, _) in self._last.items() if now - at > 60.0]:
            del self._last[gateway_id]


def _rate(history: _History, now: float) -> float:
    def runs_within(window_s: float) -> float:
        return sum(entry.runs for at, entry in history.increments if at > now - window_s)

    return jumping_rate(runs_within, now - history.began)


def _minus(entry: WorkflowArrivals, before: WorkflowArrivals | None) -> WorkflowArrivals:
    if before is None:
        return entry
    known = {share.model: share for share in before.shares}
    zero = ModelShare("", 0.0, 0.0, 0.0, 0.0, 0.0)
    shares = tuple(
        ModelShare(
            share.model,
            share.calls - old.calls,
            share.prompt_tokens - old.prompt_tokens,
            share.output_tokens - old.output_tokens,
            share.path_s - old.path_s,
            share.after_s - old.after_s,
        )
        for share in entry.shares
        for old in (known.get(share.model, zero),)
    )
    return WorkflowArrivals(
        entry.workflow,
        entry.runs - before.runs,
        entry.dated - before.dated,
        entry.ratio - before.ratio,
        entry.ratio_square - before.ratio_square,
        shares,
    )


def _mean_of(name: str, entries: Iterable[WorkflowArrivals]) -> WorkflowArrivals:
    """Per run; the ratio and its square per dated run."""
    runs = dated = ratio = square = 0.0
    sums: dict[str, list[float]] = {}
    for entry in entries:
        runs += entry.runs
        dated += entry.dated
        ratio += entry.ratio
        square += entry.ratio_square
        for share in entry.shares:
            values = (share.calls, share.prompt_tokens, share.output_tokens, share.path_s, share.after_s)
            sums[share.model] = [a + b for a, b in zip(sums.get(share.model, [0.0] * 5), values, strict=True)]
    shares = tuple(ModelShare(model, *(value / runs for value in values)) for model, values in sums.items())
    each = max(dated, 1.0)
    return WorkflowArrivals(name, 1.0, dated / runs, ratio / each, square / each, shares)
