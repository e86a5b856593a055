"""One replica of a worker and the queue of what is done to engines."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from catenary.core.worker.events import EngineFacts, EngineStats, ReplicaSettings
from catenary.model.worker import DROPPED, Replica, ReplicaState, ResidentCall

_MOST_PROGRESS = 0.99
_UNKNOWN_START_S = 60.0
SOON_S = 0.05


class JobKind(Enum):
    START = auto()
    SLEEP = auto()
    WAKE = auto()
    STOP = auto()


@dataclass(frozen=True, slots=True)
class Job:
    """One thing done to an engine, for the commands that wait for it."""

    kind: JobKind
    model: str
    command_id: int
    level: int = 1
    freeze: bool = False


@dataclass(slots=True)
class ReplicaRecord:
    """A replica while the worker lives. It begins DEAD: no engine was ever started."""

    settings: ReplicaSettings
    state: ReplicaState = ReplicaState.DEAD
    generation: int = 0
    error: str = ""
    holder: str = ""
    facts: EngineFacts = field(default_factory=EngineFacts)
    stats: EngineStats = field(default_factory=EngineStats)
    start_s: float = 0.0
    started_at: float | None = None
    wakes_at: float | None = None
    after_drain: Job | None = None  # what follows once its calls have ended
    sleep_level: int = 0  # that it sleeps at, or is on its way to
    weights_cold: bool = False  # not in the host's page cache, as far as is known

    @property
    def awake_bytes(self) -> int:
        """As the profile says, or as its start was seen to take."""
        return self.settings.awake_bytes or self.facts.memory_bytes

    @property
    def wake_s(self) -> float:
        if self.sleep_level != DROPPED:
            return self.settings.wake_s
        return self.settings.reload_s + (self.settings.prefetch_s if self.weights_cold else 0.0)

    @property
    def needs_weights(self) -> bool:
        """What brings it up reads the weights, wherever they are."""
        return self.state is ReplicaState.DEAD or (self.state is ReplicaState.ASLEEP and self.sleep_level == DROPPED)

    @property
    def max_model_len(self) -> int:
        return self.facts.max_model_len or self.settings.max_model_len

    def change(self, state: ReplicaState, error: str = "") -> None:
        self.state = state
        self.error = error
        self.wakes_at = None
        if state is not ReplicaState.ASLEEP:
            self.sleep_level = 0
        self.generation += 1

    def snapshot(self, calls: tuple[ResidentCall, ...], now: float) -> Replica:
        settings, stats, facts = self.settings, self.stats, self.facts
        return Replica(
            model=settings.model,
            state=self.state,
            generation=self.generation,
            max_num_seqs=settings.max_num_seqs,
            lookahead=settings.lookahead,
            num_running=stats.num_running,
            num_waiting=stats.num_waiting,
            kv_cache_usage=stats.kv_cache_usage,
            calls=calls,
            reserved=bool(self.holder),
            error=self.error,
            start_s=self.start_s,
            max_model_len=self.max_model_len,
            prefix_cache_hit_rate=stats.prefix_cache_hit_rate,
            weights_bytes=facts.weights_bytes,
            kv_capacity_tokens=facts.kv_capacity_tokens,
            engine=settings.engine,
            load_progress=self._load_progress(now),
            memory_bytes=facts.memory_bytes,
            ready_in_s=0.0 if self.wakes_at is None else max(SOON_S, self.wakes_at - now),
            awake_bytes=self.awake_bytes,
            sleep_level=self.sleep_level if self.state is ReplicaState.ASLEEP else 0,
            weights_cold=self.weights_cold and self.needs_weights,
        )

    def _load_progress(self, now: float) -> float:
        """Before the first start has told how long one takes, it is half after a minute and grows ever more slowly."""
        if self.state is not ReplicaState.LOADING or self.started_at is None:
            return 0.0
        elapsed_s = now - self.started_at
        expected_s = self.start_s or self.settings.start_s or elapsed_s + _UNKNOWN_START_S
        return min(_MOST_PROGRESS, elapsed_s / expected_s)


class JobQueue:
    """Jobs in order, one at a time: starts and sleeps of one accelerator disturb each other."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self.current: Job | None = None

    def put(self, job: Job) -> None:
        self._waiting.append(job)

    def next(self) -> Job | None:
        """The job to begin now; None while one is under way or none waits."""
        if self.current is not None or not self._waiting:
            return None
        self.current = self._waiting.popleft()
        return self.current

    def finish(self, kind: JobKind, model: str) -> Job | None:
        """The current job where it is the one named, which is then over."""
        job = self.current
        if job is None or job.kind is not kind or job.model != model:
            return None
        self.current = None
        return job

    def find(self, model: str, kinds: Iterable[JobKind]) -> Job | None:
        """A job of the model that waits or is under way."""
        wanted = set(kinds)
        jobs = [*((self.current,) if self.current else ()), *self._waiting]
        return next((job for job in jobs if job.model == model and job.kind in wanted), None)
