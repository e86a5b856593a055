"""Who is left out when not everybody can be in time."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import field
from operator import itemgetter

from catenary.model.record import record
from catenary.policy.ordering.standing import EQUAL, Standing
from catenary.policy.span import Span

CHANCE_WEIGHT = 3
BUDGET_WEIGHT = 3
LEAST_CHANCE = 0.05

Worth = tuple[bool, float]
Entry = tuple[float, float, float, Worth, "Claim"]
"""Latest end, latest start, seconds of all engines, worth."""


@record(frozen=True, slots=True)
class Claim:
    """What something that waits asks for: ``work_s`` of one engine, after which its run needs ``remaining`` in all.

    It should begin by ``latest_start`` (monotonic s, as ``deadline``). ``key`` is its place in the queue's order;
    ``markup`` times its work is what it costs where somebody is left out.
    """

    name: str
    remaining: Span
    deadline: float
    latest_start: float
    work_s: float
    key: float = 0.0
    standing: Standing = EQUAL
    markup: float = 1.0
    worth: Worth = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "worth", self.worth_at(1.0))

    @classmethod
    def of(
        cls,
        name: str,
        remaining: Span,
        deadline: float,
        work_s: float,
        key: float,
        margin: float,
        standing: Standing = EQUAL,
    ) -> Claim:
        """``margin``: how many standard deviations beyond the median are left for what remains."""
        latest_start = deadline - remaining.median - margin * remaining.deviation
        return cls(name, remaining, deadline, latest_start, work_s, key, standing)

    def worth_at(self, chance: float) -> Worth:
        """What is left out first comes first: of tenants over their shares, and of these the dearest."""
        return not self.standing.over_share, -self.markup * price(self.work_s, chance, self.standing.error_budget)

    def chance(self, now: float) -> float:
        """P(in time) if it began now; 1 before its latest start."""
        return 1.0 if now <= self.latest_start else self.remaining.probability_within(self.deadline - now)

    def latest_end(self, engines: float, now: float) -> float:
        """When its work has to be done by so many engines, where it begins at its latest start or, past that, now."""
        return max(now, self.latest_start) + self.work_s / engines


def price(work_s: float, chance: float, error_budget: float) -> float:
    """What a claim costs the others: its work for the cube of its chance, four times as much with its whole budget."""
    return work_s / chance**CHANCE_WEIGHT * (1 + BUDGET_WEIGHT * error_budget)


def keep(
    claims: Sequence[Claim], engines: float, now: float, *, spare: Callable[[], bool] = lambda: False
) -> list[Claim]:
    """Rule: go through the claims by latest end; whenever one would end too late, leave out one of those so far: of a
    tenant over its share if there is one, and of these the one that asks for the most work in proportion to its chance,
    cubed, to be in time if it began now. An untouched error budget makes it four times as dear. Claims with less than
    5 % are left out.

    Inputs: work (s of one engine), latest starts (s; until then the chance counts as 1, and one that has passed as
    now), chances by what remains (s), the number of engines, taken as one that is as fast as all of them. Where
    ``spare``, asked once somebody would be left out, nobody is unless more are then expected to be in time, provided
    that no tenant is over its share: a latest start has time in hand, so that who begins somewhat behind it is likely
    to make it all the same. Returns the kept claims by latest end. Tie-break: of equals the one that ends last.
    Trade-off: long and doubtful ones miss first, and only when somebody must; the cube was chosen by simulation.
    Source: Moore, "An n job, one machine sequencing algorithm for minimizing the number of late jobs" (Management
    Science 1968), which with chances of 1 keeps the largest number that can be in time.
    """
    hopeful = []
    for claim in claims:
        latest_start, share_s = claim.latest_start, claim.work_s / engines
        if now <= latest_start:
            hopeful.append((latest_start + share_s, latest_start, share_s, claim.worth, claim))
        elif (chance := claim.chance(now)) >= LEAST_CHANCE:
            hopeful.append((now + share_s, now, share_s, claim.worth_at(chance), claim))
    hopeful.sort(key=itemgetter(0))
    start, first_late = now, 0
    for _, latest_start, share_s, _, _ in hopeful:
        if start > latest_start:
            break
        start += share_s
        first_late += 1
    else:
        return [entry[4] for entry in hopeful]
    left_out = _left_out(hopeful, first_late, start)
    everybody = [entry[4] for entry in hopeful]
    kept = [claim for index, claim in enumerate(everybody) if index not in left_out]
    if not spare() or not within_shares(everybody):
        return kept
    return everybody if expected_met(everybody, engines, now) >= expected_met(kept, engines, now) else kept


def within_shares(claims: Sequence[Claim]) -> bool:
    return not any(claim.standing.over_share for claim in claims)


def expected_met(claims: Sequence[Claim], engines: float, now: float) -> float:
    """How many are in time, in expectation, where they begin one after the other."""
    return math.fsum(chances(claims, engines, now))


def chances(claims: Sequence[Claim], engines: float, now: float) -> list[float]:
    """Of each claim to be in time, where they begin one after the other."""
    found, start = [], now
    for claim in claims:
        found.append(claim.chance(start))
        start += claim.work_s / engines
    return found


def _left_out(hopeful: Sequence[Entry], first_late: int, start: float) -> set[int]:
    """Indices of those left out; all before ``first_late`` are in time, and the engines come to it at ``start``."""
    dearest = [(entry[3], -index) for index, entry in enumerate(hopeful[:first_late])]
    heapq.heapify(dearest)
    left_out: set[int] = set()
    for index in range(first_late, len(hopeful)):
        _, latest_start, share_s, worth, _ = hopeful[index]
        heapq.heappush(dearest, (worth, -index))
        late = start > latest_start
        start += share_s
        if late:
            out = -heapq.heappop(dearest)[1]
            left_out.add(out)
            start -= hopeful[out][2]
    return left_out


def room_s(claims: Sequence[Claim], engines: float, now: float) -> float:
    """Seconds that everybody can still wait: the least time between a claim's latest start and the moment at which the
    engines come to it, by latest end. Claims with less than 5 % chance do not count."""
    ordered = [
        (claim.latest_start + claim.work_s / engines, claim.latest_start, claim.work_s)
        for claim in claims
        if claim.chance(now) >= LEAST_CHANCE
    ]
    ordered.sort()
    room, start = float("inf"), now
    for _, latest_start, work_s in ordered:
        room = min(room, latest_start - start)
        start += work_s / engines
    return room
