"""Hysteresis: what costs capacity for a while must have looked right for some time."""

from __future__ import annotations

from collections.abc import Sequence

from catenary.policy.provisioning.decision import Move, MoveKind

Wish = tuple[tuple[str, str, str], int]

UNDO_PATIENCE = 2.0
PATIENT = (MoveKind.SLEEP, MoveKind.SWITCH)


class Steadiness:
    """Lets a sleep or a switch pass once it has been wanted in every plan for ``hysteresis_s`` seconds, and a
    sleep for twice the time that waking takes."""

    def __init__(self, hysteresis_s: float) -> None:
        self._hysteresis_s = hysteresis_s
        self._since: dict[Wish, float] = {}

    def passed(self, moves: Sequence[Move], now: float) -> list[Move]:
        wishes: dict[Wish, float] = {}
        passed = []
        for move in moves:
            number = sum(1 for key, _ in wishes if key == move.key)
            wish = (move.key, number)
            wishes[wish] = self._since.get(wish, now)
            patience_s = max(self._hysteresis_s, UNDO_PATIENCE * move.undo_s)
            if move.kind not in PATIENT or now - wishes[wish] >= patience_s:
                passed.append(move)
                wishes[wish] = now
        self._since = wishes
        return passed
