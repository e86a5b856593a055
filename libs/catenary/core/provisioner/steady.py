"""Hysteresis: what costs capacity for a while must have looked right for some time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from catenary.policy.provisioning.decision import Move, MoveKind

Wish = tuple[str, str, str]

PATIENT = (MoveKind.SLEEP, MoveKind.SWITCH)


class Steadiness:
    """Rule: a sleep or a switch passes once it has been wanted in every plan for ``hysteresis_s`` seconds, a sleep also
    for as long as waking takes. Of several moves alike, the n-th has been wanted for as long as there were n of them.

    Source: the break-even time of the ski rental problem (Karlin et al., Algorithmica 1988): what is kept awake for
    nothing costs no more than what is woken again too soon.
    """

    def __init__(self, hysteresis_s: float) -> None:
        self._hysteresis_s = hysteresis_s
        self._since: dict[Wish, list[float]] = {}

    def passed(self, moves: Sequence[Move], now: float) -> list[Move]:
        kept: dict[Wish, list[float]] = defaultdict(list)
        numbers: dict[Wish, int] = defaultdict(int)
        passed = []
        for move in moves:
            known, number = self._since.get(move.key, []), numbers[move.key]
            since = known[number] if number < len(known) else now
            numbers[move.key] += 1
            patience_s = max(self._hysteresis_s, move.undo_s)
            if move.kind not in PATIENT or now - since >= patience_s:
                passed.append(move)
            else:
                kept[move.key].append(since)
        self._since = kept
        return passed
