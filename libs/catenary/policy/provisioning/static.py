"""Provisioning as configured.

Rule: every configured slot holds one worker with all of its models awake.
Inputs: the slots of the configuration.
Tie-break: none; order is that of the configuration.
Trade-off: reacts to no load; a model without traffic keeps its accelerator.
"""

from __future__ import annotations

from collections.abc import Sequence

from catenary.model.plan import AcceleratorSlot, WantedWorker


def wanted_workers(slots: Sequence[AcceleratorSlot]) -> tuple[WantedWorker, ...]:
    return tuple(WantedWorker(slot.worker_id, slot.models) for slot in slots)
