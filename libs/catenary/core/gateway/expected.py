"""What runs that have not arrived yet will ask of each pool."""

from __future__ import annotations

from collections import deque

from catenary.policy.ordering.triage import Claim

MAX_ARRIVALS = 1024
MARKUP = 1.05


class Expected:
    """Rule: the next ``horizon_s`` seconds ask for what the last ones asked for, refused runs included.

    Inputs: the claims of each run that came, which return ``horizon_s`` later; at most the latest 1024 of a pool.
    Without them a run that needs three times the work of others does not look dear while its deadline is far: those
    who will want its engines by then have not come yet. Each is 5 % dearer than it looks, so that an admitted run keeps
    its place against equals. Trade-off: a burst counts as lasting, and one that begins is seen only as it grows.
    Source: forecasting by persistence.
    """

    def __init__(self, horizon_s: float) -> None:
        self.horizon_s = horizon_s
        self._arrivals: dict[str, deque[tuple[float, Claim]]] = {}
        self._claims: dict[str, tuple[Claim, ...]] = {}

    def arrived(self, model: str, claim: Claim, now: float) -> None:
        """A run has come that asks for this."""
        if self.horizon_s <= 0:
            return
        deadline, latest_start = claim.deadline + self.horizon_s, claim.latest_start + self.horizon_s
        again = Claim("", claim.remaining, deadline, latest_start, claim.work_s, standing=claim.standing, markup=MARKUP)
        self._arrivals.setdefault(model, deque(maxlen=MAX_ARRIVALS)).append((now, again))
        self._claims.pop(model, None)

    def claims(self, model: str, now: float) -> tuple[Claim, ...]:
        """By arrival."""
        arrivals = self._arrivals.get(model)
        if arrivals is None:
            return ()
        while arrivals and arrivals[0][0] <= now - self.horizon_s:
            arrivals.popleft()
            self._claims.pop(model, None)
        if model not in self._claims:
            self._claims[model] = tuple([claim for _, claim in arrivals])
        return self._claims[model]
