"""Workers, their replicas and the calls that they hold, as a snapshot shows them."""

from __future__ import annotations

from enum import StrEnum

from catenary.model.record import record


class ReplicaState(StrEnum):
    LOADING = "LOADING"
    AWAKE = "AWAKE"
    DRAINING = "DRAINING"
    ASLEEP = "ASLEEP"
    DEAD = "DEAD"


class SleepMode(StrEnum):
    """What becomes of the calls of a replica put to sleep: finish first, stop and go on later, or be aborted."""

    DRAIN = "DRAIN"
    FREEZE = "FREEZE"
    REPLAY = "REPLAY"


@record(frozen=True, slots=True)
class ResidentCall:
    """A call that a replica holds; ``running`` is False while it waits in the engine's queue."""

    call_id: str
    attempt: int
    router_epoch: int
    output_tokens: int
    prompt_tokens: int
    running: bool


IN_HOST, DROPPED = 1, 2
"""Sleep levels: the weights wait in host memory; or are read again when the engine wakes."""


@record(frozen=True, slots=True)
class Replica:
    """One engine of a worker. ``kv_cache_usage``, ``prefix_cache_hit_rate`` and ``load_progress`` are 0..1;
    ``ready_in_s`` is set while it wakes. ``awake_bytes``: of the accelerator's memory while it is awake, 0: unknown.
    ``sleep_level``: IN_HOST or DROPPED; 0 while it does not sleep. ``weights_cold``: loading or waking it reads the
    weights from disk."""

    model: str
    state: ReplicaState
    generation: int
    max_num_seqs: int
    lookahead: int = 0
    num_running: int = 0
    num_waiting: int = 0
    kv_cache_usage: float = 0.0
    calls: tuple[ResidentCall, ...] = ()
    reserved: bool = False
    error: str = ""
    start_s: float = 0.0
    max_model_len: int = 0
    prefix_cache_hit_rate: float = 0.0
    weights_bytes: int = 0
    kv_capacity_tokens: int = 0
    engine: str = ""
    load_progress: float = 0.0
    memory_bytes: int = 0
    ready_in_s: float = 0.0
    awake_bytes: int = 0
    sleep_level: int = 0
    weights_cold: bool = False

    @property
    def takes_calls(self) -> bool:
        return self.state is ReplicaState.AWAKE and not self.reserved


@record(frozen=True, slots=True)
class Worker:
    """One worker process. ``incarnation`` rises with each start, ``sequence`` with each snapshot of it.
    ``memory_budget_bytes``: what engines that are awake may take together; 0: not known. ``host_budget_bytes``: host
    memory that the weights of sleeping ones may take; 0: not bounded."""

    worker_id: str
    address: str
    incarnation: int
    replicas: tuple[Replica, ...]
    accelerator: str = "cpu"
    draining: bool = False
    memory_total_bytes: int = 0
    memory_free_bytes: int = 0
    num_accelerators: int = 1
    sequence: int = 0
    memory_budget_bytes: int = 0
    host_budget_bytes: int = 0
