"""What one more run costs those that share its engines, where nobody waits for a seat."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from catenary.model.dispatch import PoolState
from catenary.policy.span import Span

FULLER = 1.1
ROOMY = 0.5
"""Part of a pool's seats. Where more are taken a queue tells when too much is asked for, and rations it by slack."""
LEFT = 0.5
"""Of their paths, what runs that are there have left in the mean."""


def others_loss(
    path: Span, fuller: Callable[[float], Span], deadline_s: float, pools: Iterable[PoolState | None]
) -> float:
    """Expected number of runs in time that one more run costs; 0.0 where that cannot exceed its own chance.

    Rule: it makes the engines of ``n`` like it 1/n fuller for what they have left, half their path in the mean, and
    each of the ``n`` loses half of 1/n of what its chance falls by per share that engines are fuller by. ``n`` cancels:
    -dP/d(ln batch) / 2 is left. 0.0 where a pool is not roomy.

    Inputs: the run's predicted path (s), and what it is if each engine has so many times its calls: at most as many
    times as long. Trade-off: those there may have more time left than the newcomer, and lose less; those still to come
    do not count, since they are decided upon when they come. Source: marginal cost under processor sharing.
    """
    if not all(pool is not None and pool.num_running <= ROOMY * pool.num_seats for pool in pools):
        return 0.0
    chance, share = path.probability_within(deadline_s), math.log(FULLER)
    if LEFT * (chance - path.probability_within(deadline_s / FULLER)) <= chance * share:
        return 0.0
    return LEFT * (chance - fuller(FULLER).probability_within(deadline_s)) / share
