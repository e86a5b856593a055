"""Which replica serves a call: filter, score, pick."""

from collections.abc import Callable, Sequence

from catenary.model.dispatch import QueuedCall, ReplicaLoad
from catenary.policy.routing.decision import RoutingContext, RoutingDecision
from catenary.policy.routing.least_loaded import least_loaded
from catenary.policy.routing.round_robin import round_robin
from catenary.policy.routing.slack_aware import slack_aware

RoutingPolicy = Callable[[QueuedCall, Sequence[ReplicaLoad], RoutingContext], RoutingDecision]

ROUTINGS: dict[str, RoutingPolicy] = {
    "round_robin": round_robin,
    "least_loaded": least_loaded,
    "slack_aware": slack_aware,
}

__all__ = [
    "ROUTINGS",
    "RoutingContext",
    "RoutingDecision",
    "RoutingPolicy",
    "least_loaded",
    "round_robin",
    "slack_aware",
]
