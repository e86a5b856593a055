"""What the admitted runs of this gateway will still ask of each pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from catenary.core.gateway.waves import Waves
from catenary.model.dispatch import NEVER, PoolState
from catenary.policy.ordering.triage import Claim, keep
from catenary.policy.slack import PathCall, tails
from catenary.policy.span import then


class Demand:
    """One entry per run and model: the work of its calls that no engine has yet, and when the first must start.

    Runs without a deadline and late runs are not counted: they wait behind the others. ``waves`` has all but the late.
    """

    def __init__(self, margin: float) -> None:
        self.waves = Waves()
        self._margin = margin
        self._by_model: dict[str, dict[str, Claim]] = {}

    def follow(self, run_id: str, deadline: float, path: Sequence[PathCall], now: float) -> None:
        """Take the run's calls that have not ended as they are predicted now."""
        self.forget(run_id)
        self.waves.follow(run_id, path, now)
        if deadline == NEVER:
            return
        after = tails(path)
        for call in path:
            if call.work_s <= 0:
                continue
            work_s = call.work_s * call.probability
            claim = Claim.of(run_id, then(call.span, after[call.name]), deadline, work_s, 0.0, self._margin)
            claims = self._by_model.setdefault(call.model, {})
            known = claims.get(run_id)
            if known is not None:
                first = min(known, claim, key=lambda entry: entry.latest_start)
                claim = replace(first, work_s=known.work_s + work_s)
            claims[run_id] = claim

    def placed(self, run_id: str, model: str) -> None:
        """An engine has a call of the run: it waits for ``model`` no more."""
        self._by_model.get(model, {}).pop(run_id, None)
        self.waves.placed(run_id, model)

    def forget(self, run_id: str) -> None:
        self.waves.forget(run_id)
        for entries in self._by_model.values():
            entries.pop(run_id, None)

    def crowded_out(self, run_id: str, pools: Mapping[str, PoolState], now: float) -> str | None:
        """The first pool that cannot serve this run in time beside those that are worth more there; None: all can.

        Pools where nobody waits can serve everybody.
        """
        for model, claims in self._by_model.items():
            pool = pools.get(model)
            if run_id not in claims or pool is None or pool.num_replicas == 0 or pool.num_queued == 0:
                continue
            kept = keep(list(claims.values()), pool.num_replicas, now)
            if all(claim.name != run_id for claim in kept):
                return model
        return None
