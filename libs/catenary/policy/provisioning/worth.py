"""What a move is worth: misses that it avoids, less the price of what it keeps awake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from catenary.policy.provisioning.candidates import after, capacity_of
from catenary.policy.provisioning.context import Accelerator, PlanContext
from catenary.policy.provisioning.decision import Move, MoveKind
from catenary.policy.provisioning.misses import Capacity, MissForecast
from catenary.policy.provisioning.sharing import moved, slowness

LEAST_GAIN = 0.2
SWITCH_SHARE = 0.02
OWED = 1e6


@dataclass(frozen=True, slots=True)
class Situation:
    """The accelerators once some moves are under way, and the runs that are predicted to miss then."""

    accelerators: tuple[Accelerator, ...]
    capacity: Capacity
    misses: float
    slowness: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Gain:
    """``runs``: misses avoided less the price of awake replicas, over the horizon."""

    move: Move
    runs: float
    then: Situation


class Worth:
    def __init__(self, context: PlanContext, forecast: MissForecast) -> None:
        self.forecast = forecast
        self._context = context
        self._runs = sum(workflow.rate for workflow in context.workflows) * forecast.horizon_s

    def now(self) -> Situation:
        accelerators = self._context.accelerators
        capacity = capacity_of(accelerators, self._context.pools)
        slow = slowness(self._context.pools, accelerators)
        return Situation(accelerators, capacity, self.forecast.misses(capacity, slow), slow)

    def of(self, move: Move, situation: Situation) -> Gain:
        capacity = after(situation.capacity, move)
        accelerators = moved(situation.accelerators, move)
        slow = slowness(self._context.pools, accelerators)
        misses = self.forecast.misses(capacity, slow)
        avoided = situation.misses - misses
        gain = avoided - self._context.settings.replica_price * self._awake_s(move)
        gain += self._owed(situation.capacity, move)
        if move.after:
            gain += self.forecast.stranded(move.after, _thawed(situation.accelerators, move))
        reason = f"predicted misses {situation.misses:.1f} -> {misses:.1f} in {self.forecast.horizon_s:.0f} s"
        then = Situation(accelerators, capacity, misses, slow)
        return Gain(replace(move, misses_avoided=avoided, reason=reason), gain, then)

    def allows(self, gain: Gain) -> bool:
        """A sleep only where it costs something to be awake, and where the target is kept without the replica. A switch
        must avoid more than a fiftieth of the runs, and so must a sleep for the sake of what is awake beside: its
        benefit is a prediction, its cost is certain."""
        settings = self._context.settings
        match gain.move.kind:
            case MoveKind.SLEEP if not (gain.move.beside and gain.move.misses_avoided > self._certain):
                return settings.replica_price > 0 and gain.then.misses <= (1.0 - settings.attainment) * self._runs
            case MoveKind.SWITCH:
                return gain.runs > self._certain
            case _:
                return True

    @property
    def _certain(self) -> float:
        return max(1.0, SWITCH_SHARE * self._runs)

    def _awake_s(self, move: Move) -> float:
        """Replica-seconds over the horizon. Those in which a replica wakes do not count: the need that it wakes for
        outlasts the horizon."""
        match move.kind:
            case MoveKind.SWITCH:
                return 0.0
            case MoveKind.SLEEP:
                return -self.forecast.horizon_s
            case _:
                return max(0.0, self.forecast.horizon_s - move.takes_s)

    def _owed(self, capacity: Capacity, move: Move) -> float:
        """A model below its bound comes first."""
        if move.after and len(capacity[move.after]) < self._context.pools[move.after].bounds.min_awake:
            return OWED
        return 0.0


def _thawed(accelerators: Sequence[Accelerator], move: Move) -> int:
    """Frozen calls go on only where they were frozen, however many other replicas of their model are awake."""
    return sum(a.frozen.get(move.after, 0) for a in accelerators if a.worker_id == move.worker_id)
