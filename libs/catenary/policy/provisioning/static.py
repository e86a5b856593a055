"""Provisioning as configured.

Rule: every configured slot holds one worker with all of its models awake.
Inputs: the slots of the configuration.
Tie-break: none; order is that of the configuration.
Trade-off: reacts to no load; a model without traffic keeps its accelerator.
"""

from __future__ import annotations

from collections.abc import Sequence

from catenary.model.plan import AcceleratorSlot, WantedWorker
from catenary.policy.provisioning.context import PlanContext
from catenary.policy.provisioning.decision import PlanDecision


def wanted_workers(slots: Sequence[AcceleratorSlot]) -> tuple[WantedWorker, ...]:
    return tuple(WantedWorker(slot.worker_id, slot.models) for slot in slots)


def static(context: PlanContext) -> PlanDecision:
    """Rule: what is awake stays awake; nothing is moved."""
    return PlanDecision()
