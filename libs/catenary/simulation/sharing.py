"""Engines on one accelerator that slow each other down while they are busy."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Engine = TypeVar("Engine", bound=Hashable)


class SharedAccelerator(Generic[Engine]):
    """Rule: an engine takes ``1 + loss`` times as long for each other one that is busy, losses added up.

    ``loss`` is its profile's ``sharing_loss``.
    """

    def __init__(self) -> None:
        self._losses: dict[Engine, float] = {}
        self._busy: set[Engine] = set()
        self._factors: dict[Engine, float] = {}

    def note(self, engine: Engine, loss: float, busy: bool) -> list[tuple[Engine, float]]:
        """The engine is busy or idle now. Returns (engine, factor) of those whose speed changes."""
        if engine in self._losses and busy is (engine in self._busy):
            return []
        self._losses[engine] = loss
        if busy:
            self._busy.add(engine)
        else:
            self._busy.discard(engine)
        changed = []
        for other, lost in self._losses.items():
            factor = 1.0 + lost * len(self._busy - {other})
            if factor != self._factors.get(other, 1.0):
                self._factors[other] = factor
                changed.append((other, factor))
        return changed

    def leave(self, engine: Engine) -> list[tuple[Engine, float]]:
        """The engine is gone."""
        changed = self.note(engine, self._losses.get(engine, 0.0), False)
        self._losses.pop(engine, None)
        self._factors.pop(engine, None)
        return [(other, factor) for other, factor in changed if other is not engine]
