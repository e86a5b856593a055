"""What the admitted runs of this gateway will still ask of each pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from catenary.model.dispatch import NEVER, PoolState
from catenary.policy.ordering.triage import Claim, keep
from catenary.policy.slack import PathCall, tails
from catenary.policy.span import then


class Demand:
    """One entry per run and model: the work of its calls that no engine has yet, and when the first must start.

    Runs without a deadline and late runs are not counted: they wait behind the others.
    """

    def __init__(self, margin: float) -> None:
        self._margin = margin
        self._by_model: dict[str, dict[str, Claim]] = {}

    def follow(self, run_id: str, deadline: float, path: Sequence[PathCall]) -> None:
        """Take the run's calls that have not ended as they are predicted now."""
        self.forget(run_id)
        if deadline == NEVER:
            return
        for entry, model in self.entries(run_id, deadline, path):
            self._by_model.setdefault(model, {})[run_id] = entry

    def entries(self, run_id: str, deadline: float, path: Sequence[PathCall]) -> list[tuple[Claim, str]]:
        after = tails(path)
        found: dict[str, Claim] = {}
        for call in path:
            if call.work_s <= 0:
                continue
            work_s = call.work_s * call.probability
            claim = Claim.of(run_id, then(call.span, after[call.name]), deadline, work_s, 0.0, self._margin)
            known = found.get(call.model)
            if known is not None:
                first = min(known, claim, key=lambda entry: entry.latest_start)
                claim = replace(first, work_s=known.work_s + work_s)
            found[call.model] = claim
        return [(entry, model) for model, entry in found.items()]

    def placed(self, run_id: str, model: str) -> None:
        """An engine has a call of the run: it waits for ``model`` no more."""
        self._by_model.get(model, {}).pop(run_id, None)

    def forget(self, run_id: str) -> None:
        for entries in self._by_model.values():
            entries.pop(run_id, None)

    def crowded_out(
        self,
        run_id: str,
        deadline: float,
        path: Sequence[PathCall],
        pools: Mapping[str, PoolState],
        now: float,
    ) -> str | None:
        """The first pool that cannot serve this run in time beside those that are worth more there; None: all can."""
        for entry, model in self.entries(run_id, deadline, path):
            pool = pools.get(model)
            if pool is None or pool.num_replicas == 0 or pool.num_queued == 0:
                continue
            others = self._by_model.get(model, {})
            waiting = [*(other for key, other in others.items() if key != run_id), entry]
            if all(kept.name != run_id for kept in keep(waiting, pool.num_replicas, now)):
                return model
        return None
