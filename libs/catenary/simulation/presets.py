"""Sets of policies that a scenario can be run with, as changes to the scenario's values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

UNBOUNDED_LOOKAHEAD = 1_000_000


def catenary(data: Mapping[str, Any]) -> dict[str, Any]:
    """What the product does by default."""
    return deepcopy(dict(data))


def fcfs(data: Mapping[str, Any]) -> dict[str, Any]:
    """First come, first served at the least loaded replica; deadlines are measured, never acted upon.

    Calls go to a replica's own queue as they arrive (the lookahead is not bounded), as Ray Serve's do.
    """
    merged = _with(data, gateway={"admission": "none", "shed_lost": False, "shed_crowded": False})
    merged = _with(merged, router={"ordering": "fcfs", "routing": "least_loaded", "shed_lost": False, "triage": False})
    for model in merged.get("models", {}).values():
        model["lookahead"] = UNBOUNDED_LOOKAHEAD
    return merged


def edf(data: Mapping[str, Any]) -> dict[str, Any]:
    """Earliest deadline first at the least loaded replica, lost runs taken out, everybody admitted."""
    merged = _with(
        data,
        gateway={
            "admission": "none",
            "shed_lost": True,
            "lost_probability": 0.0,
            "shed_crowded": False,
        },
    )
    return _with(merged, router={"ordering": "edf", "routing": "least_loaded", "shed_lost": True, "triage": False})


PRESETS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {"catenary": catenary, "fcfs": fcfs, "edf": edf}


def _with(data: Mapping[str, Any], **sections: dict[str, Any]) -> dict[str, Any]:
    merged = deepcopy(dict(data))
    for name, values in sections.items():
        merged[name] = {**merged.get(name, {}), **values}
    return merged
