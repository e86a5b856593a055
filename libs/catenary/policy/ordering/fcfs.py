"""First come, first served."""

from __future__ import annotations

from catenary.model.dispatch import QueuedCall


def fcfs(call: QueuedCall, predicted_s: float) -> float:
    """Rule: the call that has been ready longest goes first.

    Inputs: ``ready_at``. Tie-break: arrival at the router. Trade-off: fair, blind to deadlines. Source: the default of
    Ray Serve and vLLM.
    """
    return call.ready_at
