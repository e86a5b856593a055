"""What a provisioning policy answers: moves, each with its reason as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from catenary.model.worker import SleepMode


class MoveKind(StrEnum):
    """WAKE: a loaded model on an accelerator with nothing awake. START: one that is not loaded. SWITCH: one model to
    sleep and another awake. JOIN: a loaded model beside what is awake. SLEEP: one less awake. RELEASE: engines ended,
    the accelerator is free. PREFETCH: the weights of a model are read into the page cache; nothing else changes."""

    WAKE = "wake"
    START = "start"
    SWITCH = "switch"
    JOIN = "join"
    SLEEP = "sleep"
    RELEASE = "release"
    PREFETCH = "prefetch"


@dataclass(frozen=True, slots=True)
class Move:
    """``before`` goes to sleep and ``after`` becomes awake (empty: none). ``misses_avoided``: predicted over the
    horizon. ``takes_s`` until ``after`` takes calls; ``mode``: what becomes of the calls of ``before``;
    ``undo_s``: how long a sleep takes to be undone; ``beside``: what else is awake there."""

    kind: MoveKind
    worker_id: str
    before: str = ""
    after: str = ""
    misses_avoided: float = 0.0
    takes_s: float = 0.0
    mode: SleepMode = SleepMode.DRAIN
    reason: str = ""
    undo_s: float = 0.0
    beside: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """The same wish on whatever accelerator."""
        return self.kind, self.before, self.after

    def __str__(self) -> str:
        what = {
            MoveKind.WAKE: f"wakes {self.after}",
            MoveKind.START: f"starts {self.after}",
            MoveKind.JOIN: f"wakes {self.after} beside {', '.join(self.beside)}",
            MoveKind.SWITCH: f"switches from {self.before} to {self.after}",
            MoveKind.SLEEP: f"puts {self.before} to sleep",
            MoveKind.RELEASE: "is released",
            MoveKind.PREFETCH: f"prefetches {self.after}",
        }[self.kind]
        return f"{self.worker_id} {what}: {self.reason}"


@dataclass(frozen=True, slots=True)
class PlanDecision:
    """``misses``: runs predicted to miss over ``horizon_s`` with the moves.
    ``infeasible`` by workflow or model: why no plan within the budget reaches its target."""

    moves: tuple[Move, ...] = ()
    misses: float = 0.0
    horizon_s: float = 0.0
    infeasible: tuple[tuple[str, str], ...] = ()
