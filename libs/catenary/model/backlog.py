"""Work that no engine has yet, and how runs ended lately, as one gateway tells the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

BUCKET_S = 0.5
NUM_BUCKETS = 64


@dataclass(frozen=True, slots=True)
class BacklogBucket:
    """Runs that wait for ``model``: ``num_runs`` of them ask for ``work_s`` seconds of one engine in all and should
    begin there within ``latest_start_s`` from now, in the mean; ``over_share``: their tenants use more than their
    shares."""

    model: str
    latest_start_s: float
    num_runs: int
    work_s: float
    over_share: bool = False


@dataclass(frozen=True, slots=True)
class WorkflowEnds:
    """Of the latest runs of a (tenant, workflow) that one gateway saw end, ``missed`` missed."""

    tenant: str
    workflow: str
    ended: int
    missed: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """One gateway's. ``used_s``: engine seconds that it admitted lately, by tenant; ``ends``: at most 256."""

    buckets: tuple[BacklogBucket, ...] = ()
    used_s: Mapping[str, float] = field(default_factory=dict)
    ends: tuple[WorkflowEnds, ...] = ()
