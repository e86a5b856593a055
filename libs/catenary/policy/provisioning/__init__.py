"""Which models are awake on which accelerators."""

from collections.abc import Callable

from catenary.policy.provisioning.context import PlanContext
from catenary.policy.provisioning.decision import PlanDecision
from catenary.policy.provisioning.reactive import reactive
from catenary.policy.provisioning.risk import risk
from catenary.policy.provisioning.static import static

Planner = Callable[[PlanContext], PlanDecision]

PLANNERS: dict[str, Planner] = {"static": static, "reactive": reactive, "risk": risk}

__all__ = ["PLANNERS", "PlanContext", "PlanDecision", "Planner"]
