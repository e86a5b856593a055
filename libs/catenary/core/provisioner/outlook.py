"""From what gateways and router tell to what a provisioning policy looks at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from catenary.core.provisioner.rates import ArrivalRates, Arriving
from catenary.model.demand import DemandReport
from catenary.model.dispatch import PoolState
from catenary.model.profile import EngineProfile
from catenary.policy.prediction import Traffic
from catenary.policy.provisioning.context import (
    ActionTimes,
    Bounds,
    PoolOutlook,
    WorkflowOutlook,
)

LEARNED_RUNS = 96
"""Before so many runs their lengths are guesses: the spread of what is predicted is not that of what happens."""
UNLEARNED_DEVIATION = 0.25
TRUSTED_ERROR = 0.25
"""How far recent output lengths may be from the predicted ones before they count instead, relatively."""


@dataclass(slots=True)
class _Ask:
    """What one second of arrivals asks of a model."""

    calls: float = 0.0
    prompt: float = 0.0
    output: float = 0.0
    after: float = 0.0


@dataclass(slots=True)
class Outlook:
    """``profiles`` by model; ``bounds`` of those that have some."""

    profiles: dict[str, EngineProfile]
    bounds: Mapping[str, Bounds]
    rates: ArrivalRates = field(default_factory=ArrivalRates)
    states: dict[str, PoolState] = field(default_factory=dict)

    def take_demand(self, report: DemandReport, now: float) -> None:
        """Every gateway hears of the same pools: the newest report counts."""
        self.rates.take(report, now)
        self.states.update((state.model, state) for state in report.pools)

    def workflows(self, now: float) -> tuple[WorkflowOutlook, ...]:
        return tuple(_workflow(arriving) for arriving in self.rates.arriving(now))

    def pools(self, now: float) -> dict[str, PoolOutlook]:
        asks = {model: _Ask() for model in self.profiles}
        for arriving in self.rates.arriving(now):
            for share in arriving.mean.shares:
                ask = asks.get(share.model)
                if ask is not None:
                    ask.calls += arriving.rate * share.calls
                    ask.prompt += arriving.rate * share.prompt_tokens
                    ask.output += arriving.rate * share.output_tokens
                    ask.after += arriving.rate * share.calls * share.after_s
        waves: dict[str, list[tuple[float, float]]] = {model: [] for model in self.profiles}
        for wave in self.rates.waves(now):
            if wave.model in waves:
                waves[wave.model].append((wave.ready_in_s, wave.calls))
        return {model: self._pool(model, asks[model], tuple(waves[model])) for model in self.profiles}

    def _pool(self, model: str, ask: _Ask, waves: tuple[tuple[float, float], ...]) -> PoolOutlook:
        profile = self.profiles[model]
        state = self.states.get(model, PoolState(model))
        traffic = Traffic(
            ask.prompt / ask.calls if ask.calls else state.mean_prompt_tokens,
            _output_tokens(ask, state),
        )
        return PoolOutlook(
            model=model,
            profile=profile,
            times=ActionTimes(
                profile.sleep_s, profile.wake_s, profile.start_s, profile.dropped_wake_s, profile.prefetch_s
            ),
            bounds=self.bounds.get(model, Bounds()),
            traffic=traffic,
            rate=ask.calls,
            after_s=ask.after / ask.calls if ask.calls else 0.0,
            waves=waves,
            num_running=state.num_running,
            num_queued=state.num_queued,
            slack_s=state.slack_s,
        )


def _output_tokens(ask: _Ask, state: PoolState) -> float:
    """As predicted on arrival, unless the calls that ended lately differ widely: predictions learn more slowly."""
    measured = state.mean_output_tokens
    if not ask.calls:
        return measured
    predicted = ask.output / ask.calls
    is_off = measured > 0 and predicted > 0 and abs(measured / predicted - 1) > TRUSTED_ERROR
    return measured if is_off else predicted


def _workflow(arriving: Arriving) -> WorkflowOutlook:
    mean = arriving.mean
    own_s = sum(share.path_s for share in mean.shares)
    deviation = math.sqrt(max(0.0, mean.ratio_square - mean.ratio**2))
    if arriving.seen < LEARNED_RUNS:
        deviation = min(deviation, UNLEARNED_DEVIATION)
    return WorkflowOutlook(
        workflow=arriving.workflow,
        rate=arriving.rate,
        ratio=mean.ratio,
        ratio_deviation=deviation,
        parts={share.model: share.path_s / own_s if own_s else 0.0 for share in mean.shares},
        after_s={share.model: share.after_s for share in mean.shares},
        own_s=own_s,
    )
