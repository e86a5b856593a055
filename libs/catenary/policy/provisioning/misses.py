"""How many runs will miss their objective over the coming horizon, given each pool's capacity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from catenary.policy.prediction import SPEED_SPREAD
from catenary.policy.provisioning.context import PlanContext, PoolOutlook, WorkflowOutlook
from catenary.policy.provisioning.fluid import NODES, FluidPool

Capacity = Mapping[str, tuple[float, ...]]
"""By model, when each of its replicas takes calls (s from now), in order."""

WEIGHTS = tuple((node, weight) for node, (_, weight) in enumerate(NODES))
ALONE: Mapping[str, float] = {}
"""Slowness by model: every engine has its accelerator alone."""
MEAN = tuple((node, 1.0) for node, (deviate, _) in enumerate(NODES) if deviate == 0)
STEPS = 40
LEAST_STEP_S = 0.2
LEAST_DEVIATION = 0.1
STRANDED_WEIGHT = 4.0
"""A call that nobody can run counts so many misses: even a single one is worth a switch."""
PATIENT_WEIGHT = 1.0
"""One that could pause for longer than the horizon and until the accelerator may switch back: it is worth a wake."""


class MissForecast:
    """Rule: a run misses when its path, each model's part stretched as its pool will be when the run is there, exceeds
    its deadline, or when a pool on it has no room for it. Pools are followed one by one, runs across all of them.

    Inputs: the context's outlooks. Trade-off: all runs of a workflow share one distribution of deadline over unloaded
    latency; waits in different pools rise and fall together with the arrivals.
    """

    def __init__(self, context: PlanContext) -> None:
        pools = [_unfrozen(context, pool) for pool in context.pools.values()]
        slowest_s = max((_slowest_s(context, name) for name in context.pools), default=0.0)
        own_s = max((workflow.own_s for workflow in context.workflows), default=0.0)
        self.horizon_s = max(context.settings.horizon_s, 1.5 * slowest_s + 2 * own_s)
        self._step_s = max(LEAST_STEP_S, self.horizon_s / STEPS)
        self._num_steps = math.ceil(self.horizon_s / self._step_s)
        wait_s = 0.2 * own_s if own_s else 1.0
        self._pools = {pool.model: FluidPool(pool, self._step_s, self._num_steps, wait_s) for pool in pools}
        self._calls = {p.model: p.num_running + p.num_queued + sum(calls for _, calls in p.waves) for p in pools}
        self._slacks = {p.model: p.slack_s for p in pools}
        self._patience_s = self.horizon_s + context.settings.dwell_s
        self._workflows = [w for w in context.workflows if w.rate > 0]
        self._known: dict[tuple[object, ...], float] = {}

    def misses(self, capacity: Capacity, slowness: Mapping[str, float] = ALONE) -> float:
        """Runs that miss over the horizon; calls of a model that is awake nowhere are among them. ``slowness``: of
        models whose replicas share accelerators (see catenary.policy.provisioning.sharing)."""
        stranded = sum(self.stranded(model, self._calls[model]) for model, ready in capacity.items() if not ready)
        return stranded + sum(self._once(w, capacity, slowness) for w in self._workflows)

    def stranded(self, model: str, calls: float) -> float:
        """The misses that so many calls count which nobody can run."""
        return calls * (PATIENT_WEIGHT if self._slacks[model] > self._patience_s else STRANDED_WEIGHT)

    def share(self, workflow: WorkflowOutlook, capacity: Capacity, slowness: Mapping[str, float] = ALONE) -> float:
        """Part of the workflow's runs that miss, 0..1, where no more arrive than on average and all are like the mean
        one."""
        runs = workflow.rate * self._step_s * self._num_steps
        mean = replace(workflow, ratio_deviation=0.0)
        return min(1.0, self._of_workflow(mean, capacity, slowness, MEAN) / runs) if runs else 0.0

    def _once(self, workflow: WorkflowOutlook, capacity: Capacity, slowness: Mapping[str, float]) -> float:
        """Most moves change nothing for most workflows."""
        key = workflow.workflow, tuple((capacity.get(model), slowness.get(model)) for model in workflow.parts)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._of_workflow(workflow, capacity, slowness)
        return found

    def _of_workflow(
        self,
        workflow: WorkflowOutlook,
        capacity: Capacity,
        slowness: Mapping[str, float],
        weights: Sequence[tuple[int, float]] = WEIGHTS,
    ) -> float:
        """``weights``: of the courses to count, by their number."""
        total = 0.0
        stages = [
            (
                part,
                int(workflow.after_s.get(model, 0.0) * 1.3 / self._step_s),
                self._pools[model].courses(ready, slowness.get(model, 1.0)),
            )
            for model, part in workflow.parts.items()
            if (ready := capacity.get(model)) is not None
        ]
        first = -max((offset for _, offset, _ in stages), default=0)
        last = self._num_steps - 1
        for node, weight in weights:
            missed = 0.0
            for step in range(first, self._num_steps):
                stretch = kept = 0.0
                lost = 0.0
                for part, offset, course in stages:
                    index = min(last, max(0, step + offset))
                    stretch += part * course[node].stretch[index]
                    if step + offset >= 0:
                        lost = max(lost, course[node].lost[index])
                kept = 1.0 - lost
                missed += lost + kept * _late(stretch, workflow)
            total += weight * missed
        return total * workflow.rate * self._step_s


def _unfrozen(context: PlanContext, pool: PoolOutlook) -> PoolOutlook:
    """Frozen calls load no engine, and other replicas of their model do not help them."""
    frozen = sum(accelerator.frozen.get(pool.model, 0) for accelerator in context.accelerators)
    return replace(pool, num_running=max(0.0, pool.num_running - frozen)) if frozen else pool


def _slowest_s(context: PlanContext, model: str) -> float:
    """The quickest way to one more replica of the model takes so long."""
    times = context.pools[model].times
    holders = [a for a in context.accelerators if model in (*a.asleep, a.awake, *a.beside)]
    if not holders:
        return times.start_s
    asleep = [a for a in holders if model in a.asleep]
    if not asleep or any(model not in a.dropped for a in asleep):
        return times.sleep_s + times.wake_s
    cold_s = times.prefetch_s if all(model in a.cold for a in asleep) else 0.0
    return times.sleep_s + times.reload_s + cold_s


def _late(stretch: float, workflow: WorkflowOutlook) -> float:
    if workflow.ratio <= 0:
        return 0.0
    deviation = math.hypot(max(LEAST_DEVIATION, workflow.ratio_deviation), SPEED_SPREAD * stretch)
    return 0.5 * (1.0 + math.erf((stretch - workflow.ratio) / (deviation * math.sqrt(2.0))))
