"""What a run's tenant and workflow have had so far: who misses when somebody must."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from heapq import nsmallest
from itertools import islice
from math import exp

from catenary.model.backlog import WorkflowEnds
from catenary.model.record import record

WINDOW_RUNS = 256
MAX_KEYS = 4096
MAX_TOLD = 256
USAGE_WINDOW_S = 30.0
NOISE = 1.1
OVERDRAWN = -0.3
"""Error budget of a critical run, whatever its workflow has left: a tenth as dear as with the budget used up."""
LEAST_S = 1e-3


@record(frozen=True, slots=True)
class Standing:
    """``over_share``: the tenant uses more than its share, or the run is of class BATCH; ``error_budget``: the part of
    the misses that the workflow's attainment allows that is left, 0..1, or ``OVERDRAWN`` for a critical run;
    ``holder``: the tenant, workflow and class whose budget that is."""

    over_share: bool = False
    error_budget: float = 0.0
    holder: tuple[str, str, str] | None = None

    def as_of(self, latest: Standing) -> Standing:
        """``latest`` where it is the same holder's, else this one."""
        return latest if self.holder is not None and self.holder == latest.holder else self


EQUAL = Standing()

_Rank = tuple[int, int, tuple[str, str]]
"""(-missed, -ended, key): the least is told first."""


class ErrorBudgets:
    """Rule: of a window of the last 256 ends of a (tenant, workflow), ``1 - attainment`` may miss.

    Refused, failed and late runs are misses; runs that their client cancels do not count. What other gateways saw adds
    to both. The least recently ended keys are dropped past 4096. Source: error budgets of Beyer et al., "Site
    Reliability Engineering" (O'Reilly 2016).
    """

    def __init__(self) -> None:
        self._ends: OrderedDict[tuple[str, str], deque[bool]] = OrderedDict()
        self._ranks: dict[tuple[str, str], _Rank] = {}
        self._elsewhere: dict[str, Mapping[tuple[str, str], WorkflowEnds]] = {}
        self.num_observed = 0

    def observe(self, tenant: str, workflow: str, *, met: bool) -> None:
        self.num_observed += 1
        self._take((tenant, workflow), (met,))

    def known(self, max_keys: int) -> dict[tuple[str, str], list[bool]]:
        """Whether the latest runs were in time, oldest first, of the keys that ended last, these first."""
        return {key: list(self._ends[key]) for key in islice(reversed(self._ends), max_keys)}

    def learn(self, known: Mapping[tuple[str, str], Sequence[bool]]) -> None:
        """Begin with what an earlier process of this gateway has ``known``."""
        for key, met in reversed(list(known.items())):
            self._take(key, met)

    def _take(self, key: tuple[str, str], met: Iterable[bool]) -> None:
        ends = self._ends.setdefault(key, deque(maxlen=WINDOW_RUNS))
        ends.extend(met)
        self._ranks[key] = (sum(ends) - len(ends), -len(ends), key)
        self._ends.move_to_end(key)
        if len(self._ends) > MAX_KEYS:
            dropped, _ = self._ends.popitem(last=False)
            del self._ranks[dropped]

    def left(self, tenant: str, workflow: str, attainment: float) -> float:
        """The part that is left, 0..1, as if the runs missing from a full window had all been in time."""
        key = (tenant, workflow)
        rank = self._ranks.get(key)
        missed, ended = (-rank[0], -rank[1]) if rank else (0, 0)
        for told in self._elsewhere.values():
            if (other := told.get(key)) is not None:
                ended, missed = ended + other.ended, missed + other.missed
        return max(0.0, 1 - missed / (max(WINDOW_RUNS, ended) * (1 - attainment)))

    def heard(self, gateway_id: str, ends: Sequence[WorkflowEnds]) -> None:
        """What another gateway saw end replaces what it told before; empty: it has seen none, or is gone."""
        self._elsewhere.pop(gateway_id, None)
        if ends:
            self._elsewhere[gateway_id] = {(end.tenant, end.workflow): end for end in ends}

    def told(self) -> tuple[WorkflowEnds, ...]:
        """For the other gateways: at most 256, those with most misses."""
        worst = nsmallest(MAX_TOLD, self._ranks.values())
        return tuple(WorkflowEnds(*key, -ended, -missed) for missed, ended, key in worst)


class TenantShares:
    """Rule: a tenant is over its share where its part of the work admitted in the last half minute is more than its
    weight among the tenants that asked for any; a tenth more is noise. A tenant alone never is.

    Inputs: work in engine seconds, decaying with a time constant of 30 s; weights (1 where none is given); what other
    gateways saw. Trade-off: nothing is kept free for anybody, so that shares bind only where somebody must miss.
    Source: weighted fair sharing as in Sheng et al., "Fairness in serving large language models" (OSDI 2024).
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = weights
        self._used: dict[str, float] = {}
        self._at = 0.0
        self._elsewhere: dict[str, Mapping[str, float]] = {}
        self._all: dict[str, float] = {}
        self._all_s = self._weight = 0.0

    def admit(self, tenant: str, work_s: float, now: float) -> None:
        known = tenant in self._all
        if not known or now - self._at > USAGE_WINDOW_S:
            self._merge(now)
        if not known:
            self._weight += self._weights.get(tenant, 1.0)
        grown = work_s * exp((now - self._at) / USAGE_WINDOW_S)
        self._used[tenant] = self._used.get(tenant, 0.0) + grown
        self._all[tenant] = self._all.get(tenant, 0.0) + grown
        self._all_s += grown

    def heard(self, gateway_id: str, used_s: Mapping[str, float], now: float) -> None:
        """What another gateway admitted lately, in engine seconds by tenant; empty: it is gone."""
        self._elsewhere[gateway_id] = used_s
        if not used_s:
            del self._elsewhere[gateway_id]
        self._merge(now)

    def used_s(self, now: float) -> dict[str, float]:
        """Engine seconds that this gateway admitted lately, by tenant; at most 4096 of them."""
        self._merge(now)
        return dict(self._used)

    def over(self, tenant: str) -> bool:
        if len(self._all) < 2 or tenant not in self._all:
            return False
        return self._all[tenant] * self._weight > NOISE * self._weights.get(tenant, 1.0) * self._all_s

    def _merge(self, now: float) -> None:
        """Bring all amounts to ``now``, forget the least and add up those of all gateways."""
        decay = exp((self._at - now) / USAGE_WINDOW_S)
        self._at = now
        kept = sorted(
            ((used * decay, name) for name, used in self._used.items() if used * decay > LEAST_S), reverse=True
        )
        self._used = {name: used for used, name in kept[:MAX_KEYS]}
        self._all = dict(self._used)
        for other in self._elsewhere.values():
            for name, used in other.items():
                self._all[name] = self._all.get(name, 0.0) + used
        self._all_s = sum(self._all.values())
        self._weight = sum(self._weights.get(name, 1.0) for name in self._all)
