"""Whether a pool that has a queue can take one more run."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

from catenary.policy.ordering.triage import LEAST_CHANCE, Claim, chances, expected_met, price, within_shares

USABLE = 0.93
RELUCTANCE = 1.25
LEAST_GAIN = 0.5


def has_room(
    newcomer: Sequence[Claim], admitted: Sequence[Claim], engines: float, now: float, *, spare: bool = False
) -> bool:
    """Rule: go through all claims by latest end. The newcomer is turned away when one of its own would end too late, or
    would make an admitted one end too late, unless an admitted claim so far can be left out in its place: of a tenant
    over its share where the newcomer's is not, or one whose price is at least 1.25 times that of all the newcomer asks.
    Those who would end too late without the newcomer keep their work in the count unless they are as dear. With
    ``spare`` one that finds no room so enters all the same where half a run more is then expected to be in time than
    without it; not where a tenant is over its share.

    Inputs: as for ``triage.keep``; only 93 % of the engines' work counts: steps that calls wait for, messages and late
    runs take the rest. Claims of the newcomer's own holder count with the error budget that is left now.
    Tie-break: the order given. Trade-off: an admitted run keeps its place against equals, so that who is admitted is in
    time; a run that is much shorter still displaces a long one. Both figures were chosen by simulation. Source: Moore's
    rule, as in ``triage.keep``.
    """
    engines *= USABLE
    standing = newcomer[0].standing
    least = RELUCTANCE * sum(_price(claim, newcomer[0], now) for claim in newcomer)
    entries = [(claim.latest_end(engines, now), True, claim) for claim in newcomer]
    entries += [
        (claim.latest_end(engines, now), False, claim) for claim in admitted if claim.chance(now) >= LEAST_CHANCE
    ]
    entries.sort(key=lambda entry: entry[0])
    dear: list[tuple[bool, float, float]] = []
    start, added = now, 0.0
    for _, is_new, claim in entries:
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
            return spare and _gains([(is_new, claim) for _, is_new, claim in entries], engines, now)
    return True


def _gains(entries: Sequence[tuple[bool, Claim]], engines: float, now: float) -> bool:
    """The newcomer's chance makes up for what the others lose of theirs."""
    everybody = [claim for _, claim in entries]
    if not within_shares(everybody):
        return False
    found = chances(everybody, engines, now)
    own = min(chance for chance, (is_new, _) in zip(found, entries, strict=True) if is_new)
    others = math.fsum(chance for chance, (is_new, _) in zip(found, entries, strict=True) if not is_new)
    admitted = [claim for is_new, claim in entries if not is_new]
    return own + others - expected_met(admitted, engines, now) >= LEAST_GAIN


def _price(claim: Claim, newcomer: Claim, now: float) -> float:
    same = claim.standing.holder == newcomer.standing.holder
    standing = newcomer.standing if same else claim.standing
    return price(claim.work_s, max(LEAST_CHANCE, claim.chance(now)), standing.error_budget)
