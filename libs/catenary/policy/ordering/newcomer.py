"""Whether a pool that has a queue can take one more run."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

from catenary.policy.ordering.triage import LEAST_CHANCE, Claim, chances, expected_met, price, within_shares

USABLE = 0.93
RELUCTANCE = 1.25
LEAST_GAIN = 0.5


def has_room(newcomer: Sequence[Claim], admitted: Sequence[Claim], engines: float, now: float) -> bool:
    """Rule: go through all claims by latest end. The newcomer is turned away when one of its own would end too late, or
    would make an admitted one end too late, unless an admitted claim so far can be left out in its place: of a tenant
    over its share where the newcomer's is not, or one whose price is at least 1.25 times that of all the newcomer asks.
    Those who would end too late without the newcomer keep their work in the count unless they are as dear.

    Inputs: as for ``triage.keep``; only 93 % of the engines' work counts: steps that calls wait for, messages and late
    runs take the rest. Claims of the newcomer's own holder count with the error budget that is left now.
    Tie-break: the order given. Trade-off: an admitted run keeps its place against equals, so that who is admitted is in
    time; a run that is much shorter still displaces a long one. Both figures were chosen by simulation. Source: Moore's
    rule, as in ``triage.keep``.
    """
    engines *= USABLE
    entries = _by_latest_end(newcomer, admitted, engines, now)
    if _all_begin_in_time(entries, engines, now):
        return True
    standing = newcomer[0].standing
    least = RELUCTANCE * sum(_price(claim, newcomer[0], now) for claim in newcomer)
    dear: list[tuple[bool, float, float]] = []
    start, added = now, 0.0
    for claim, is_new in entries:
        latest_start, took = max(now, claim.latest_start), claim.work_s / engines
        late, late_anyway = start > latest_start, not is_new and start - added > latest_start
        start += took
        if is_new:
            added += took
        else:
            over = claim.standing.over_share and not standing.over_share
            worth = _price(claim, newcomer[0], now)
            if over or (worth >= least and claim.standing.over_share >= standing.over_share):
                heapq.heappush(dear, (not over, -worth, took))
        if late and dear:
            start -= heapq.heappop(dear)[2]
        elif late and not late_anyway:
            return False
    return True


def gains(newcomer: Sequence[Claim], admitted: Sequence[Claim], engines: float, now: float) -> bool:
    """Rule: a newcomer for which there is no room enters all the same where its chance exceeds what the admitted ones
    lose of theirs by half a run, each beginning by latest end when those before it are done; not where a tenant is over
    its share.

    Inputs: as for ``has_room``; the chance of a newcomer is that of its call that is worst off. Tie-break: none, it is
    a threshold. Trade-off: for pools that can do what they are asked for; in one that cannot, whoever enters for a
    chance delays those still to come. Source: ``triage.keep`` with ``spare``.
    """
    engines *= USABLE
    entries = _by_latest_end(newcomer, admitted, engines, now)
    everybody = [claim for claim, _ in entries]
    if not within_shares(everybody):
        return False
    found = [(chance, is_new) for chance, (_, is_new) in zip(chances(everybody, engines, now), entries, strict=True)]
    own = min(chance for chance, is_new in found if is_new)
    others = math.fsum(chance for chance, is_new in found if not is_new)
    return own + others - expected_met([c for c, is_new in entries if not is_new], engines, now) >= LEAST_GAIN


def _all_begin_in_time(entries: Sequence[tuple[Claim, bool]], engines: float, now: float) -> bool:
    start = now
    for claim, _ in entries:
        if start > max(now, claim.latest_start):
            return False
        start += claim.work_s / engines
    return True


def _by_latest_end(
    newcomer: Sequence[Claim], admitted: Sequence[Claim], engines: float, now: float
) -> list[tuple[Claim, bool]]:
    """Those that have a chance, with whether it is the newcomer's; of equals the newcomer's first."""
    entries = [(claim, True) for claim in newcomer]
    entries += [(claim, False) for claim in admitted if claim.chance(now) >= LEAST_CHANCE]
    return sorted(entries, key=lambda entry: entry[0].latest_end(engines, now))


def _price(claim: Claim, newcomer: Claim, now: float) -> float:
    standing = claim.standing.as_of(newcomer.standing)
    return price(claim.work_s, max(LEAST_CHANCE, claim.chance(now)), standing.error_budget)
