"""How long attainment stays below normal after a fault, from probes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from faults import Fault
from probes import Probe, Sample

BOUNDS_S = {"gateway": 3.0, "router": 3.0, "worker": 2.0, "provisioner": 2.0}
LOADS = ("worker", "provisioner")


@dataclass(frozen=True, slots=True)
class Recovery:
    """``ready_s``: from the fault until every pool had its replicas again; 0 where none went. ``recovery_s``: from then
    (a worker or provisioner) or from the fault (others) to the submission of the last probe that missed and had ended
    before the next fault; 0 where none missed. ``cut``: the next fault came before the pools were whole, so there is no
    figure."""

    fault: Fault
    ready_s: float
    recovery_s: float
    cut: bool


def recoveries(faults: Sequence[Fault], probes: Sequence[Probe], samples: Sequence[Sample]) -> list[Recovery]:
    """One for each fault. A miss while a pool has no replica at all is not the later fault's: it is passed over."""
    whole = _most(samples)
    found = []
    for fault, following in zip(faults, [*faults[1:], None], strict=True):
        end_s = following.at_s if following is not None else float("inf")
        ready_at = _ready_at(fault, samples, whole, end_s) if fault.target in LOADS else fault.at_s
        since_s = ready_at if ready_at is not None else fault.at_s
        missed = [
            probe.at_s - since_s
            for probe in probes
            if since_s < probe.at_s and probe.ended_s < end_s and not probe.met and _has_replica(probe, samples)
        ]
        found.append(Recovery(fault, since_s - fault.at_s, max(missed, default=0.0), ready_at is None))
    return found


def table(found: Sequence[Recovery]) -> list[str]:
    """One line per target."""
    lines = [f"{'target':12} {'faults':>6} {'pauses':>6} {'judged':>6} {'within':>6} {'p50':>6} {'p95':>6} {'max':>6}"]
    for target in sorted({recovery.fault.target for recovery in found}):
        of = [recovery for recovery in found if recovery.fault.target == target]
        killed = [recovery for recovery in of if recovery.fault.kind != "pause"]
        times = sorted(recovery.recovery_s for recovery in killed if not recovery.cut)
        bound_s = BOUNDS_S.get(target, 3.0)
        within = sum(time_s <= bound_s for time_s in times)
        p95 = times[min(len(times) - 1, round(0.95 * (len(times) - 1)))] if times else float("nan")
        median, most = (statistics.median(times), times[-1]) if times else (float("nan"), float("nan"))
        lines.append(
            f"{target:12} {len(killed):6} {len(of) - len(killed):6} {len(times):6} {within:6} "
            f"{median:6.2f} {p95:6.2f} {most:6.2f}"
        )
    return lines


def _most(samples: Sequence[Sample]) -> dict[str, int]:
    most: dict[str, int] = {}
    for sample in samples:
        for model, pids in (sample.awake or {}).items():
            most[model] = max(most.get(model, 0), len(pids))
    return most


def _ready_at(fault: Fault, samples: Sequence[Sample], whole: dict[str, int], end_s: float) -> float | None:
    """When the pools were whole again without the processes that the fault took."""
    before = [sample for sample in samples if sample.at_s <= fault.at_s and sample.awake is not None]
    gone: set[int] = set()
    if fault.target == "worker":
        gone = {int(fault.victim)}
    elif before and before[-1].awake is not None:
        gone = set().union(*before[-1].awake.values())
    for sample in samples:
        if sample.at_s >= end_s:
            return None
        if sample.at_s <= fault.at_s or sample.awake is None:
            continue
        if all(len(sample.awake.get(model, frozenset()) - gone) >= number for model, number in whole.items()):
            return sample.at_s
    return None


def _has_replica(probe: Probe, samples: Sequence[Sample]) -> bool:
    """As far as the provisioner tells, around its submission."""
    near = [sample for sample in samples if abs(sample.at_s - probe.at_s) <= 0.5]
    return bool(near) and all(sample.awake is not None and sample.awake.get(probe.model) for sample in near)
