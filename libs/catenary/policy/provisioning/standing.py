"""How much has to stand awake, given how long it takes to wake more."""

from __future__ import annotations

from dataclasses import dataclass, replace

from catenary.policy.provisioning.context import PlanContext
from catenary.policy.provisioning.misses import MissForecast

MAX_REPLICAS = 4096


@dataclass(frozen=True, slots=True)
class Standing:
    """Replicas awake by model before a jump of the arrivals; ``missed``: part of the runs of the ``wake_s`` seconds
    after it that miss all the same, 0..1."""

    replicas: dict[str, int]
    wake_s: float
    missed: float


def standing_capacity(context: PlanContext, burst: float, wake_s: float) -> Standing:
    """Rule: one replica of each model, then one more where it avoids most misses, until the attainment is kept over the
    ``wake_s`` seconds after the arrivals rise to ``burst`` times their rate, in which nothing more wakes.

    Inputs: the context's pools and workflows at their present rates; its accelerators are not looked at. Tie-break: by
    model. Trade-off: capacity is added one replica at a time, as InferLine's planner does (SoCC 2020).
    """
    pools = {name: replace(pool, rate=pool.rate * burst) for name, pool in context.pools.items()}
    workflows = tuple(replace(workflow, rate=workflow.rate * burst) for workflow in context.workflows)
    settings = replace(context.settings, horizon_s=max(wake_s, 1.0))
    forecast = MissForecast(replace(context, pools=pools, workflows=workflows, accelerators=(), settings=settings))
    counts = dict.fromkeys(sorted(pools), 1)
    runs = sum(workflow.rate for workflow in workflows) * forecast.horizon_s
    missed = forecast.misses(_awake(counts))
    while runs and missed > (1 - settings.attainment) * runs and sum(counts.values()) < MAX_REPLICAS:
        misses = {name: forecast.misses(_awake({**counts, name: counts[name] + 1})) for name in counts}
        best = min(misses, key=lambda name: (misses[name], name))
        if misses[best] >= missed - 1e-9:
            break
        counts[best] += 1
        missed = misses[best]
    return Standing(counts, wake_s, min(1.0, missed / runs) if runs else 0.0)


def _awake(counts: dict[str, int]) -> dict[str, tuple[float, ...]]:
    return {name: (0.0,) * count for name, count in counts.items()}
