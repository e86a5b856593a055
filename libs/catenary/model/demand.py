"""What gateways tell of the runs that arrive and of the calls that are still to come."""

from __future__ import annotations

from dataclasses import dataclass

from catenary.model.dispatch import PoolState


@dataclass(frozen=True, slots=True)
class ModelShare:
    """What the runs of a workflow that have arrived ask of one model: sums over those runs, as predicted on arrival.

    ``calls`` weigh by their probability; tokens are those of all calls. ``path_s``: unloaded seconds on the run's
    longest path; ``after_s``: unloaded seconds from the run's arrival to its first call of the model.
    """

    model: str
    calls: float
    prompt_tokens: float
    output_tokens: float
    path_s: float
    after_s: float


@dataclass(frozen=True, slots=True)
class WorkflowArrivals:
    """Counters since the gateway started, refused runs included.

    ``ratio`` sums deadline over unloaded latency of the ``dated`` runs, those with a deadline; ``ratio_square`` its
    square.
    """

    workflow: str
    runs: float
    dated: float
    ratio: float
    ratio_square: float
    shares: tuple[ModelShare, ...]


@dataclass(frozen=True, slots=True)
class Wave:
    """Calls of admitted runs that no engine has yet and that become ready ``ready_in_s`` from now (0: ready)."""

    model: str
    ready_in_s: float
    calls: float


@dataclass(frozen=True, slots=True)
class DemandReport:
    """One gateway's. ``incarnation`` differs after a restart, when the counters begin anew. ``pools``: as
    the router last told them."""

    gateway_id: str
    incarnation: int
    workflows: tuple[WorkflowArrivals, ...]
    waves: tuple[Wave, ...]
    pools: tuple[PoolState, ...] = ()
