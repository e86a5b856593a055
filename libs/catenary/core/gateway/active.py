"""The runs that a gateway drives, with what is known of their cluster."""

from __future__ import annotations

from collections.abc import Mapping

from catenary.core.gateway.arrivals import Arrivals
from catenary.core.gateway.demand import Demand
from catenary.core.gateway.events import GatewayAction
from catenary.core.gateway.forecast import Forecaster
from catenary.core.gateway.placement import take_back
from catenary.core.gateway.run import ActiveCall, ActiveRun
from catenary.core.gateway.settings import GatewaySettings, ModelInfo
from catenary.model.outcome import PriorityClass
from catenary.model.profile import EngineProfile
from catenary.policy.ordering.standing import OVERDRAWN, ErrorBudgets, Standing, TenantShares

Actions = list[GatewayAction]


class ActiveRuns:
    """``profiles`` and ``models`` have the same keys."""

    def __init__(
        self, settings: GatewaySettings, models: Mapping[str, ModelInfo], profiles: Mapping[str, EngineProfile]
    ) -> None:
        self.settings = settings
        self.forecaster = Forecaster(models, profiles)
        self.arrivals = Arrivals()
        self.demand = Demand(settings.crowd_margin, settings.expect_s)
        self.budgets = ErrorBudgets()
        self.shares = TenantShares(settings.tenant_weights)
        self.runs: dict[str, ActiveRun] = {}
        self.calls: dict[str, tuple[ActiveRun, ActiveCall]] = {}

    def hold(self, run: ActiveRun, call: ActiveCall) -> None:
        run.calls[str(call.ref)] = call
        self.calls[call.call_id] = (run, call)

    def find(self, call_id: str, attempt: int) -> tuple[ActiveRun, ActiveCall] | tuple[None, None]:
        """The call where ``attempt`` is its present one."""
        run, call = self.calls.get(call_id, (None, None))
        if run is None or call is None or call.attempt != attempt:
            return None, None
        return run, call

    def drop(self, run: ActiveRun, call: ActiveCall) -> None:
        """The call has ended."""
        run.calls.pop(str(call.ref), None)
        self.calls.pop(call.call_id, None)

    def forget(self, run_id: str) -> ActiveRun | None:
        """The run that is driven no more, None where it was not."""
        self.demand.forget(run_id)
        return self.runs.pop(run_id, None)

    def take_back_all(self, run: ActiveRun) -> Actions:
        """End the run's calls wherever they are."""
        actions: Actions = []
        for call in run.calls.values():
            actions += take_back(run, call)
            self.calls.pop(call.call_id, None)
        return actions

    def standing(self, run: ActiveRun) -> Standing:
        """What the run's tenant and workflow have had so far, and what its class makes of that."""
        workflow = run.workflow.workflow
        left = self.budgets.left(run.tenant, workflow.name, workflow.slo.attainment)
        yields = run.priority is PriorityClass.BATCH or self.shares.over(run.tenant)
        budget = OVERDRAWN if run.priority is PriorityClass.CRITICAL else left
        return Standing(yields, budget, (run.tenant, workflow.name, run.priority))

    def ended(self, run: ActiveRun, *, met: bool) -> None:
        self.budgets.observe(run.tenant, run.workflow.workflow.name, met=met)

    def crowded_out(self, run: ActiveRun, now: float) -> str:
        """Why the run has to miss where somebody must; empty: it need not."""
        if not self.settings.shed_crowded:
            return ""
        return _beside_others(self.demand.crowded_out(run.run_id, self.forecaster.pools, now))

    def turned_away(self, run: ActiveRun, now: float) -> str:
        """Why the run, which is followed already, cannot be admitted where somebody must miss; empty: it can."""
        if not self.settings.shed_crowded:
            return ""
        pools = self.forecaster.pools
        if model := self.demand.too_dear(run.run_id, pools, now):
            return f"arriving runs ask for more of {model} than it can do, and this one for more than most of them"
        return _beside_others(self.demand.turned_away(run.run_id, pools, now))


def _beside_others(model: str | None) -> str:
    return f"{model} cannot serve it in time beside the runs already there" if model else ""
