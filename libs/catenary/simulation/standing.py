"""What has to stand awake before the arrivals jump, since more takes time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from catenary.simulation.planning import WARM_UP_S, Answer, Planner, Stream, Target, Verdict
from catenary.simulation.scenario import Scenario
from catenary.simulation.sections import Phase

NOTICED_S = 1.0
"""A jump of the arrivals is seen, and a wake begun, within about a second."""
CALM_S = 15.0
MOST_JUMPS = 50
LEAST_RUNS, MOST_RUNS = 600, 1500
LEAST_JUMP_S = 20.0
"""A jump is cut short where it has enough runs, but not below this."""


@dataclass(frozen=True, slots=True)
class Jump:
    """Arrivals rise to ``times`` their rate, and more replicas take calls only ``ready_in_s`` later."""

    times: float
    ready_in_s: float


@dataclass(frozen=True, slots=True)
class Standing:
    """``answer``: what keeps the target in the first seconds of such jumps, until more is awake; ``lean``: what comes
    of the runs of those seconds with the replicas that the usual rate needs."""

    jump: Jump
    answer: Answer
    lean: Verdict


def standing(base: Scenario, streams: Sequence[Stream], usual: Answer, jump: Jump, target: Target) -> Standing:
    """Rule: calm and jump alternate, each jump as long as nothing new takes calls; only runs that arrive in jumps
    count. The search is that for a constant rate.

    ``usual``: the answer for the rate without jumps. Trade-off: what more replicas do once they are awake is left out:
    the queue that a jump leaves behind is worked off by what stood awake.
    """
    rate = jump.times * sum(stream.work.rate for stream in streams)
    lasts_s = min(jump.ready_in_s + NOTICED_S, max(LEAST_JUMP_S, MOST_RUNS / rate))
    count = min(MOST_JUMPS, math.ceil(LEAST_RUNS / (rate * lasts_s)))
    course = phases(jump.times, lasts_s, count)
    jumping = [replace(stream, work=stream.work.model_copy(update={"phases": course})) for stream in streams]
    planner = Planner(base, jumping, replace(target, counts=lambda at: in_jump(lasts_s, at)))
    return Standing(jump, planner.answer(), planner.verdict(usual.verdict.replicas))


def phases(times: float, lasts_s: float, count: int) -> list[Phase]:
    """A calm stretch before each jump; the first one is longer, since lengths are still being learned."""
    found = []
    for number in range(count):
        found.append(Phase(duration_s=CALM_S if number else WARM_UP_S + CALM_S))
        found.append(Phase(duration_s=lasts_s, load=times))
    return found


def in_jump(lasts_s: float, arrival_s: float) -> bool:
    since_s = arrival_s - WARM_UP_S
    return since_s >= 0 and since_s % (CALM_S + lasts_s) >= CALM_S
