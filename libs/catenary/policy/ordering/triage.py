"""Who is left out when not everybody can be in time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiting:
    """A waiting call: ``work_s`` of one engine, and until when it must have started. Times are monotonic seconds."""

    call_id: str
    latest_start: float
    work_s: float


def keep(waiting: Sequence[Waiting], engines: float, now: float) -> list[Waiting]:
    """Rule: go through the calls by latest start; whenever one would start too late, leave out the one with the most
    work so far. What is kept can all be in time, and no larger number can.

    Inputs: work (s of one engine), latest starts (s), the number of engines, taken as one that is as fast as all of
    them. Returns the kept calls by latest start. Tie-break: the order given. Trade-off: long calls miss first, and only
    when somebody must. Source: Moore and Hodgson, "An n job, one machine sequencing algorithm for minimizing the
    number of late jobs", Management Science 15(1), 1968.
    """
    ordered = sorted(waiting, key=lambda call: call.latest_start + call.work_s / engines)
    largest: list[tuple[float, int]] = []
    left_out: set[int] = set()
    end = now
    for index, call in enumerate(ordered):
        heapq.heappush(largest, (-call.work_s, -index))
        end += call.work_s / engines
        if end > call.latest_start + call.work_s / engines:
            work, number = heapq.heappop(largest)
            left_out.add(-number)
            end += work / engines
    return [call for index, call in enumerate(ordered) if index not in left_out]
