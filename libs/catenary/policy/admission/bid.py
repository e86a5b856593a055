"""Whether a run asks for more of a pool than it is worth where not everybody can be served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from catenary.policy.ordering.standing import EQUAL, Standing
from catenary.policy.ordering.triage import price

DEARER = 1.15


@dataclass(frozen=True, slots=True)
class Ask:
    """``work_s`` of one engine of a pool, for a run of this standing."""

    work_s: float
    standing: Standing = EQUAL


def too_dear(newcomer: Ask, latest: Sequence[Ask], share: float) -> bool:
    """Rule: of the latest arrivals the cheapest are served, those of tenants over their share last, until their work
    is ``share`` of all. A newcomer that is dearer than each of these is refused, if it is by 15 % dearer than they are
    in the mean.

    Inputs: what each asked for (s of one engine; refused ones too) and the share of it that engines can do. Work counts
    by ``triage.price`` with chances of 1; asks of the newcomer's own holder count with the error budget that is left
    now. Tie-break: none, it is a threshold. Trade-off: it looks at nobody who waits, so that a long run is refused
    before short ones that have not come yet are crowded out by it, and in a lull some are refused that could have been
    served; where all ask for about the same nobody is. Source: Talluri and van Ryzin, "An analysis of bid-price
    controls for network revenue management" (Management Science 1998).
    """
    ranked = sorted((_rank(ask, newcomer), ask.work_s) for ask in latest)
    own = _rank(newcomer, newcomer)
    room_s = share * sum(work_s for _, work_s in ranked)
    served = 0.0
    for count, (rank, work_s) in enumerate(ranked):
        room_s -= work_s
        if room_s < 0:
            is_over = own[0] > (ranked[count - 1][0][0] if count else False)
            return own >= rank and (is_over or own[1] * count >= DEARER * served)
        served += rank[1]
    return False


def _rank(ask: Ask, newcomer: Ask) -> tuple[bool, float]:
    standing = ask.standing.as_of(newcomer.standing)
    return standing.over_share, price(ask.work_s, 1.0, standing.error_budget)
