"""A ready call on its way through the router, and the pools that it meets there. Times are monotonic seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

from catenary.model.lengths import LengthEstimate
from catenary.model.outcome import PriorityClass
from catenary.model.record import record

NEVER = float("inf")


@record(frozen=True, slots=True)
class QueuedCall:
    """A ready call, as its gateway offers it.

    ``latest_finish`` leaves the median rest of the run its time; ``lost_finish`` leaves it only its q10 along the
    shortest way: a call that cannot end by then belongs to a run that is lost. All three times are NEVER without a
    deadline. ``rest_s`` is the median work of the run after this call on idle engines. ``over_share`` and
    ``error_budget``: the standing of its tenant and workflow, which decides who misses when somebody must.
    """

    call_id: str
    attempt: int
    gateway_id: str
    model: str
    prompt_tokens: int
    max_tokens: int
    output: LengthEstimate
    ready_at: float
    latest_finish: float = NEVER
    lost_finish: float = NEVER
    deadline: float = NEVER
    rest_s: float = 0.0
    tenant: str = "default"
    workflow: str = ""
    priority: PriorityClass = PriorityClass.STANDARD
    late: bool = False
    over_share: bool = False
    error_budget: float = 0.0
    prefix_hashes: tuple[int, ...] = ()
    traceparent: str = ""


@dataclass(slots=True)
class Resident:
    """A call placed on a replica. ``expected_finish`` is re-estimated as snapshots show its tokens."""

    call: QueuedCall
    expires_at: float
    expected_finish: float
    output_tokens: int = 0
    seen_at: float = 0.0
    confirmed: bool = False


@dataclass(slots=True)
class ReplicaLoad:
    """What a routing policy sees of one replica. ``prefixes`` holds hashes of prompt blocks sent there; ``num_foreign``
    counts the calls that a former router placed; ``slowness``: how many times as long it takes lately as it would with
    its accelerator alone."""

    worker_id: str
    address: str
    model: str
    max_num_seqs: int
    lookahead: int
    residents: dict[str, Resident] = field(default_factory=dict)
    prefixes: dict[int, None] = field(default_factory=dict)
    num_foreign: int = 0
    slowness: float = 1.0

    @property
    def num_placed(self) -> int:
        return len(self.residents) + self.num_foreign

    @property
    def burden(self) -> float:
        """Calls placed; with one more, a slower replica counts as if it had more."""
        return self.num_placed + (self.num_placed + 1) * (self.slowness - 1.0)

    @property
    def free_seats(self) -> int:
        return self.max_num_seqs - self.num_placed

    @property
    def free_places(self) -> int:
        return self.max_num_seqs + self.lookahead - self.num_placed


@dataclass(frozen=True, slots=True)
class PoolState:
    """One pool as the gateways see it; see catenary.v1.PoolState for the fields' meaning."""

    model: str
    num_replicas: int = 0
    num_seats: int = 0
    num_running: int = 0
    num_queued: int = 0
    queued_work_s: float = 0.0
    num_starting: int = 0
    ready_in_s: float = 0.0
    interference: float = 1.0
    mean_prompt_tokens: float = 0.0
    mean_output_tokens: float = 0.0
    num_asleep: int = 0
    num_late: int = 0
    slack_s: float = 0.0

    @property
    def is_contended(self) -> bool:
        """Calls wait that can still be in time."""
        return self.num_queued > self.num_late
