"""Who is left out when not everybody can be in time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from catenary.policy.span import Span

CHANCE_WEIGHT = 3
LEAST_CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class Claim:
    """What something that waits asks for: ``work_s`` of one engine, after which its run needs ``remaining`` in all.

    It should begin by ``latest_start`` (monotonic s, as ``deadline``). ``key`` is its place in the queue's order.
    """

    name: str
    remaining: Span
    deadline: float
    latest_start: float
    work_s: float
    key: float = 0.0

    @classmethod
    def of(cls, name: str, remaining: Span, deadline: float, work_s: float, key: float, margin: float) -> Claim:
        """``margin``: how many standard deviations beyond the median are left for what remains."""
        latest_start = deadline - remaining.median - margin * remaining.deviation
        return cls(name, remaining, deadline, latest_start, work_s, key)


def keep(claims: Sequence[Claim], engines: float, now: float) -> list[Claim]:
    """Rule: go through the claims by latest end; whenever one would end too late, leave out the one so far that asks
    for the most work in proportion to its chance, cubed, to be in time if it began now. Claims with less than 5 % are
    left out.

    Inputs: work (s of one engine), latest starts (s; until then the chance counts as 1, and one that has passed as
    now), chances by what remains (s), the number of engines, taken as one that is as fast as all of them. Returns the
    kept claims by latest end. Tie-break: the order given. Trade-off: long and doubtful ones miss first, and only when
    somebody must; the cube was chosen by simulation. Source: Moore, "An n job, one machine sequencing algorithm for
    minimizing the number of late jobs" (Management Science 1968), which with chances of 1 keeps the largest number that
    can be in time.
    """
    hopeful = []
    for claim in claims:
        start = claim.latest_start
        chance = 1.0
        if start < now:
            start = now
            chance = claim.remaining.probability_within(claim.deadline - now)
        if chance >= LEAST_CHANCE:
            hopeful.append((start + claim.work_s / engines, start, claim.work_s / chance**CHANCE_WEIGHT, claim))
    hopeful.sort(key=itemgetter(0))
    dearest: list[tuple[float, int]] = []
    left_out: set[int] = set()
    start = now
    for index, (_, latest_start, price, claim) in enumerate(hopeful):
        heapq.heappush(dearest, (-price, index))
        late = start > latest_start
        start += claim.work_s / engines
        if late:
            _, out = heapq.heappop(dearest)
            left_out.add(out)
            start -= hopeful[out][3].work_s / engines
    return [entry[3] for index, entry in enumerate(hopeful) if index not in left_out]
