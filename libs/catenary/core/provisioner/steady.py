"""Hysteresis: what costs capacity for a while must have looked right for some time."""

from __future__ import annotations

from collections.abc import Sequence

from catenary.policy.provisioning.decision import Move, MoveKind

Wish = tuple[tuple[str, str, str], int]

PATIENT = (MoveKind.SLEEP, MoveKind.SWITCH)


class Steadiness:
    """Lets a sleep or a switch pass once it has been wanted in every plan for ``hysteresis_s`` seconds."""

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
            if move.kind not in PATIENT or now - wishes[wish] >= self._hysteresis_s:
                passed.append(move)
                wishes[wish] = now
        self._since = wishes
        return passed
