"""How long a pool's calls will take over the coming seconds, with a given capacity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from catenary.policy.prediction import duration_s
from catenary.policy.provisioning.context import PoolOutlook

NODES = ((-math.sqrt(3.0), 1 / 6), (0.0, 2 / 3), (math.sqrt(3.0), 1 / 6))
"""Gauss-Hermite nodes and weights of a standard normal deviate: arrivals below, at and above their mean."""
MEMORY_S = 4.0


@dataclass(frozen=True, slots=True)
class Course:
    """Per step of the horizon: a call's duration with its wait over its unloaded one, and the part of the calls that
    arrive for which there is no room in time, 0..1."""

    stretch: tuple[float, ...]
    lost: tuple[float, ...]


class FluidPool:
    """Rule: calls in the pool change by what arrives less what leaves, ``n b / D(b)`` with ``b`` calls on each of ``n``
    engines and D(b) a call's duration at that batch; beyond the seats they queue, beyond a bounded wait they are lost.

    Inputs: known calls by the time they become ready, the rate of those to come (calls/s), engines by the time they
    take calls (s). Arrivals not known yet are taken at three quantiles of a Poisson count. Trade-off: a fluid has no
    variance of its own; short queues in a pool that is nearly full are taken as none. Source: fluid approximation of
    many-server queues, Mandelbaum, Massey and Reiman (Queueing Systems 1998).
    """

    def __init__(self, pool: PoolOutlook, step_s: float, num_steps: int, wait_s: float) -> None:
        profile, traffic = pool.profile, pool.traffic
        prompt, output = traffic.mean_prompt, traffic.mean_output
        seats = profile.max_num_seqs
        one = duration_s(profile, prompt, output, 1, traffic)
        full = duration_s(profile, prompt, output, seats, traffic)
        self._unloaded_s = max(one, 1e-6)
        self._slope_s = (full - one) / (seats - 1) if seats > 1 else 0.0
        self._full_s = full
        self._seats = seats
        self._step_s = step_s
        self._num_steps = num_steps
        self._wait_s = wait_s
        self._pool = pool
        self._known = self._known_inflow()
        self._courses: dict[tuple[tuple[float, ...], float], tuple[Course, ...]] = {}

    def courses(self, ready: tuple[float, ...], slowness: float = 1.0) -> tuple[Course, ...]:
        """One for each node. ``ready``: when each replica takes calls (s from now), in order; ``slowness``: how many
        times as long they take as alone on an accelerator."""
        known = self._courses.get((ready, slowness))
        if known is None:
            known = self._courses[ready, slowness] = tuple(self._course(ready, slowness, z) for z, _ in NODES)
        return known

    def _known_inflow(self) -> list[float]:
        inflow = [0.0] * self._num_steps
        for ready_in_s, calls in self._pool.waves:
            step = int(ready_in_s / self._step_s)
            if step < self._num_steps:
                inflow[step] += calls
        return inflow

    def _future(self, t: float) -> float:
        """Part of the rate that runs not yet arrived ask for at ``t``: they reach the pool around ``after_s``."""
        after = self._pool.after_s
        if after <= 0:
            return 1.0
        return min(1.0, max(0.0, (t - 0.5 * after) / after))

    def _course(self, ready: Sequence[float], slowness: float, z: float) -> Course:
        pool, step = self._pool, self._step_s
        spread = 1.0 + z / math.sqrt(max(1.0, pool.rate * MEMORY_S))
        rate = pool.rate * max(0.0, spread)
        num = pool.num_running
        stretch, lost = [], []
        for index in range(self._num_steps):
            t = index * step
            engines = sum(1 for at in ready if at <= t)
            inflow = self._known[index] + rate * self._future(t) * step
            num += inflow
            room = self._room(engines, ready, slowness, t)
            dropped = max(0.0, num - max(room, pool.num_running if index == 0 else 0.0))
            num -= dropped
            stretch.append(self._sojourn_s(num, engines, ready, t) * slowness / self._unloaded_s)
            lost.append(min(1.0, dropped / inflow) if inflow > 0 else 0.0)
            if engines:
                batch = min(self._seats, num / engines)
                taken_s = (self._unloaded_s + self._slope_s * max(0.0, batch - 1)) * slowness
                leave = engines * batch / taken_s * step
                num = max(0.0, num - leave)
        return Course(tuple(stretch), tuple(lost))

    def _room(self, engines: int, ready: Sequence[float], slowness: float, t: float) -> float:
        """Calls that fit with a bounded wait."""
        coming = sum(1 for at in ready if at <= t + self._wait_s)
        return self._seats * max(engines, coming) + coming * self._wait_s * self._seats / (self._full_s * slowness)

    def _sojourn_s(self, num: float, engines: int, ready: Sequence[float], t: float) -> float:
        if not engines:
            first = min((at for at in ready if at > t), default=None)
            if first is None:
                return self._full_s + self._wait_s * 4
            return first - t + self._full_s
        batch = num / engines
        if batch <= self._seats:
            return self._unloaded_s + self._slope_s * max(0.0, batch - 1)
        return self._full_s + (batch - self._seats) * self._full_s / self._seats
