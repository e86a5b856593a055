"""What a drill does to the processes of a cluster."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

TARGETS = ("gateway", "router", "worker", "store", "provisioner", "profiler")
PAUSE_S = (0.3, 4.0)


@dataclass(frozen=True, slots=True)
class Fault:
    """``at_s`` since the drill began; ``pause_s`` 0: killed, else stopped for so long. ``victim``: which instance, once
    it is known."""

    at_s: float
    target: str
    pause_s: float = 0.0
    victim: str = ""


def random_faults(
    rng: random.Random, num: int, gap_s: float, pause_share: float = 1 / 3, targets: Sequence[str] = TARGETS
) -> list[Fault]:
    """Each target in turn in a random order, ``gap_s`` apart on average; ``pause_share`` of them are pauses."""
    faults, at_s = [], 0.0
    while len(faults) < num:
        for target in rng.sample(list(targets), len(targets)):
            at_s += rng.uniform(0.5, 1.5) * gap_s
            pause_s = rng.uniform(*PAUSE_S) if rng.random() < pause_share else 0.0
            faults.append(Fault(at_s, target, pause_s))
    return faults[:num]
