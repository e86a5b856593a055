"""Who is left out when not everybody can be in time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """What something that waits asks for: ``work_s`` of one engine, begun by ``latest_start`` (monotonic s). ``key`` is
    its place in the queue's order, lowest first."""

    name: str
    latest_start: float
    work_s: float
    key: float = 0.0


def keep(claims: Sequence[Claim], engines: float, now: float) -> list[Claim]:
    """Rule: go through the claims by latest end; whenever one would end too late, leave out the one with the most work
    so far. What is kept can all be in time, and no larger number can.

    Inputs: work (s of one engine), latest starts (s), the number of engines, taken as one that is as fast as all of
    them. Returns the kept claims by latest end. Tie-break: the order given. Trade-off: long ones miss first, and only
    when somebody must. Source: Moore, "An n job, one machine sequencing algorithm for minimizing the number of late
    jobs", Management Science 15(1), 1968.
    """
    ordered = sorted(claims, key=lambda claim: claim.latest_start + claim.work_s / engines)
    longest: list[tuple[float, int]] = []
    left_out: set[int] = set()
    start = now
    for index, claim in enumerate(ordered):
        heapq.heappush(longest, (-claim.work_s, index))
        late = start > claim.latest_start
        start += claim.work_s / engines
        if late:
            work, number = heapq.heappop(longest)
            left_out.add(number)
            start += work / engines
    return [claim for index, claim in enumerate(ordered) if index not in left_out]
