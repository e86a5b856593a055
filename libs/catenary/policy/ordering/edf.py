"""Earliest deadline first."""

from __future__ import annotations

from catenary.model.dispatch import QueuedCall


def edf(call: QueuedCall, predicted_s: float) -> float:
    """Rule: the call of the run with the earliest deadline goes first.

    Inputs: ``deadline`` (s). Tie-break: arrival at the router. Trade-off: best for runs alike; ignores how much of a
    run is still to come, and collapses under overload unless lost runs are taken out. Source: Liu and Layland 1973.
    """
    return call.deadline
