"""Least slack first."""

from __future__ import annotations

from catenary.model.dispatch import QueuedCall


def least_slack(call: QueuedCall, predicted_s: float) -> float:
    """Rule: the call with the earliest latest start goes first.

    Inputs: ``latest_finish`` (s) and the call's own predicted duration on a full engine (s). All slacks fall at the
    same rate, so the latest start orders as the slack does and never changes while the call waits. Tie-break: arrival
    at the router. Trade-off: needs a prediction. Source: Zhang et al., "Software Performance Engineering for Foundation
    Model-Powered Software", section IV.
    """
    return call.latest_finish - predicted_s
