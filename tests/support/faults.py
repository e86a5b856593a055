"""What a drill does to a cluster."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

TARGETS = ("gateway", "router", "worker", "store", "provisioner", "profiler")
PAUSE_S = (0.3, 4.0)
LINK_KINDS = ("cut", "stall", "slow")
LINK_S = {"cut": (0.0, 2.0), "stall": (0.3, 6.0), "slow": (1.0, 5.0)}


@dataclass(frozen=True, slots=True)
class Fault:
    """``at_s`` since the drill began. ``kind``: a process is killed ("kill") or stopped for ``for_s`` ("pause"); a
    connection is cut and refused, stalled or slowed for ``for_s``; an engine ends ("crash"). ``victim``: which
    instance, once it is known."""

    at_s: float
    target: str
    kind: str = "kill"
    for_s: float = 0.0
    victim: str = ""


def random_faults(
    rng: random.Random, num: int, gap_s: float, pause_share: float = 1 / 3, targets: Sequence[str] = TARGETS
) -> list[Fault]:
    """Each target in turn in a random order, ``gap_s`` apart on average; ``pause_share`` of them are pauses."""
    faults: list[Fault] = []
    at_s = 0.0
    while len(faults) < num:
        for target in rng.sample(list(targets), len(targets)):
            at_s += rng.uniform(0.5, 1.5) * gap_s
            if rng.random() < pause_share:
                faults.append(Fault(at_s, target, "pause", rng.uniform(*PAUSE_S)))
            else:
                faults.append(Fault(at_s, target))
    return faults[:num]


def random_link_faults(rng: random.Random, num: int, gap_s: float, links: Sequence[str]) -> list[Fault]:
    """Each link, and one engine, in turn in a random order: cut, stalled or slowed for a while."""
    faults: list[Fault] = []
    at_s = 0.0
    while len(faults) < num:
        for target in rng.sample([*links, "engine"], len(links) + 1):
            at_s += rng.uniform(0.5, 1.5) * gap_s
            kind = "crash" if target == "engine" else rng.choice(LINK_KINDS)
            faults.append(Fault(at_s, target, kind, rng.uniform(*LINK_S.get(kind, (0.0, 0.0)))))
    return faults[:num]
