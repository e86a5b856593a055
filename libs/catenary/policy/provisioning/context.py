"""What a provisioning policy is given: accelerators, arrivals, pools, bounds. Times are seconds from now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from catenary.model.profile import EngineProfile
from catenary.policy.prediction import Traffic


@dataclass(frozen=True, slots=True)
class ActionTimes:
    """How long it takes to put an engine to sleep, to wake it, to start it where none is loaded, to wake it where its
    weights were dropped, and to read its weights from disk, which a start or such a wake does first where they are
    cold."""

    sleep_s: float = 0.0
    wake_s: float = 0.0
    start_s: float = 0.0
    reload_s: float = 0.0
    prefetch_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Replicas of one model: at least ``min_awake`` and at most ``max_awake`` awake; ``keep_warm`` stay loaded, awake
    or asleep, however idle they are."""

    min_awake: int = 0
    max_awake: int = 1024
    keep_warm: int = 0


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One worker's accelerator set. ``awake``: the model awake or on its way there, which takes calls in
    ``ready_in_s``; empty: none. ``asleep``: models that can be woken. ``startable``: configured ones without an engine.
    ``frozen``: calls that wait in a model asleep here until it wakes here. ``still_s``: for how long nothing has been
    changed here. ``idle_s``: for how long nothing has been awake. ``beside``: models awake together with ``awake``,
    each with its own ``ready_in_s``; ``memory_bytes``: what engines that are awake may take (0: not known), ``needs``:
    what each takes. ``dropped``: models asleep here without their weights. ``cold``: models of which the weights are
    not in the host's page cache; ``fetched``: those of them that are being read, or were lately."""

    worker_id: str
    awake: str = ""
    ready_in_s: float = 0.0
    asleep: tuple[str, ...] = ()
    startable: tuple[str, ...] = ()
    num_calls: int = 0
    frozen: Mapping[str, int] = field(default_factory=dict)
    movable: bool = True
    still_s: float = 1e9
    idle_s: float = 0.0
    size: int = 1
    beside: Mapping[str, float] = field(default_factory=dict)
    memory_bytes: int = 0
    needs: Mapping[str, int] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    cold: frozenset[str] = frozenset()
    fetched: frozenset[str] = frozenset()

    @property
    def engines(self) -> tuple[tuple[str, float], ...]:
        """(model, ready in s) of all that are awake or on their way there."""
        first = ((self.awake, self.ready_in_s),) if self.awake else ()
        return (*first, *self.beside.items())


@dataclass(frozen=True, slots=True)
class PoolOutlook:
    """One model's calls. ``rate``: calls per second that arriving runs will ask for, ``after_s`` after their arrival.
    ``waves``: (ready in, calls) of admitted runs' calls that no engine has. ``num_running``: calls in engines.
    ``slack_s``: for how long all of these and of the waiting ones could pause; 0: unknown, or one cannot."""

    model: str
    profile: EngineProfile
    times: ActionTimes
    bounds: Bounds = field(default_factory=Bounds)
    traffic: Traffic = field(default_factory=Traffic)
    rate: float = 0.0
    after_s: float = 0.0
    waves: tuple[tuple[float, float], ...] = ()
    num_running: float = 0.0
    num_queued: float = 0.0
    slack_s: float = 0.0


@dataclass(frozen=True, slots=True)
class WorkflowOutlook:
    """Runs of one workflow: ``rate`` per second; their deadline over unloaded latency (mean, deviation; 0: none have a
    deadline); by model the part of the unloaded latency and when its first call comes (s after arrival)."""

    workflow: str
    rate: float
    ratio: float
    ratio_deviation: float
    parts: Mapping[str, float]
    after_s: Mapping[str, float]
    own_s: float


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """``budget``: accelerators that may be awake. ``horizon_s``: how far ahead misses are predicted, at least.
    ``replica_price``: missed runs that an awake replica must avoid per second. ``hysteresis_s``: how long a sleep or a
    switch must look right before it is done. ``dwell_s``: least time between two switches of one accelerator, and until
    a switch may be undone anywhere.
    ``idle_release_s``: an accelerator on which nothing is awake is given back after so long; 0: never.
    ``target_calls``: calls per replica that `reactive` aims at. ``awake_together``: models that may be awake at a time
    on one accelerator, where their memory fits. ``prefetch``: weights are read ahead of a load that is foreseen."""

    budget: int = 1_000_000
    horizon_s: float = 8.0
    replica_price: float = 0.0
    hysteresis_s: float = 2.0
    dwell_s: float = 15.0
    idle_release_s: float = 0.0
    target_calls: float = 8.0
    attainment: float = 0.95
    awake_together: int = 1
    prefetch: bool = True


@dataclass(frozen=True, slots=True)
class PlanContext:
    """``barred``: switches (before, after) that would undo one made lately."""

    accelerators: tuple[Accelerator, ...]
    pools: Mapping[str, PoolOutlook]
    workflows: tuple[WorkflowOutlook, ...] = ()
    barred: frozenset[tuple[str, str]] = frozenset()
    settings: PlanSettings = field(default_factory=PlanSettings)
