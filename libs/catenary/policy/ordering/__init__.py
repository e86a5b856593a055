"""Which waiting call goes next: a key per call, lowest first, that does not change with time."""

from collections.abc import Callable

from catenary.model.dispatch import QueuedCall
from catenary.policy.ordering.edf import edf
from catenary.policy.ordering.fcfs import fcfs
from catenary.policy.ordering.least_slack import least_slack

OrderingPolicy = Callable[[QueuedCall, float], float]

ORDERINGS: dict[str, OrderingPolicy] = {"fcfs": fcfs, "edf": edf, "least_slack": least_slack}

__all__ = ["ORDERINGS", "OrderingPolicy", "edf", "fcfs", "least_slack"]
