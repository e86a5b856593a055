"""What the worker is asked, what it answers, and what it wants its shell to do."""

from __future__ import annotations

from dataclasses import dataclass

from catenary.model.outcome import FinishReason


@dataclass(frozen=True, slots=True)
class ReplicaSettings:
    """Of one configured model. Zero means unknown; ``start_s``, ``sleep_s``, ``wake_s``, ``reload_s``, ``prefetch_s``:
    what these should take; ``needed_bytes``: what a start needs; ``awake_bytes``: what its engine holds of the
    accelerator while awake."""

    model: str
    max_num_seqs: int
    lookahead: int
    max_model_len: int
    engine: str = ""
    needed_bytes: int = 0
    start_s: float = 0.0
    sleep_s: float = 0.0
    wake_s: float = 0.0
    awake_bytes: int = 0
    reload_s: float = 0.0
    prefetch_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What is known of an engine once it is up. Zero means unknown; ``memory_bytes`` is what its start took."""

    max_model_len: int = 0
    weights_bytes: int = 0
    kv_capacity_tokens: int = 0
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class EngineStats:
    """What an engine says of itself now. Shares are 0..1."""

    num_running: int = 0
    num_waiting: int = 0
    kv_cache_usage: float = 0.0
    prefix_cache_hit_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class CallStart:
    """A call that a gateway asks for on one of its streams.

    ``lost_after`` is the moment after which a start is of no use; None: never.
    """

    gateway_id: str
    stream_id: int
    call_id: str
    attempt: int
    run_epoch: int
    router_epoch: int
    model: str
    prompt_tokens: int
    lost_after: float | None = None

    @property
    def run_id(self) -> str:
        return self.call_id.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Started:
    """The call is taken under ``handle``, which names it towards the engine. ``aborts``: older ones it replaces."""

    handle: int
    aborts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class NotStarted:
    """The call is refused; its CallEnd says ``reason``. ``aborts``: older ones that it replaces all the same."""

    reason: FinishReason
    error: str
    aborts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class EndedCall:
    """A call that has left the worker; ``reason`` is how it counts, whatever the engine called it."""

    start: CallStart
    reason: FinishReason
    error: str


@dataclass(frozen=True, slots=True)
class StartEngine:
    model: str


@dataclass(frozen=True, slots=True)
class StopEngine:
    model: str


@dataclass(frozen=True, slots=True)
class SleepEngine:
    """``freeze``: running calls stop and go on after waking."""

    model: str
    level: int
    freeze: bool


@dataclass(frozen=True, slots=True)
class WakeEngine:
    model: str


@dataclass(frozen=True, slots=True)
class AbortCalls:
    """Their ends come back as ``call_ended``."""

    handles: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CommandDone:
    """A command has ended. An empty ``error`` means that it did what it says; otherwise the text says why not."""

    command_id: int
    error: str


@dataclass(frozen=True, slots=True)
class SnapshotChanged:
    """A replica has changed: watchers hear of it at once."""


@dataclass(frozen=True, slots=True)
class Drained:
    """No call is left and none will be taken."""


WorkerAction = (
    StartEngine | StopEngine | SleepEngine | WakeEngine | AbortCalls | CommandDone | SnapshotChanged | Drained
)
