"""What the admitted runs of all gateways will still ask of each pool."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

from catenary.core.gateway.expected import Expected
from catenary.core.gateway.scarcity import Scarcity
from catenary.core.gateway.waves import Waves
from catenary.model.backlog import BUCKET_S, NUM_BUCKETS, BacklogBucket
from catenary.model.dispatch import NEVER, PoolState
from catenary.policy.admission.bid import Ask
from catenary.policy.ordering.newcomer import gains, has_room
from catenary.policy.ordering.standing import EQUAL, Standing
from catenary.policy.ordering.triage import Claim, keep, room_s
from catenary.policy.slack import PathCall, tails
from catenary.policy.span import ZERO, Span, then

MAX_PEER_CLAIMS = 64
CALM = 0.9
"""Share of what a pool's engines can do within the horizon; where less is expected nobody is crowded out."""
OVERLOAD = 1.05
"""Where runs arrive that keep more than this share of the engines busy nobody is spared for a chance: whoever is kept
delays those still to come."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """One gateway's demand as claims, and until when it counts."""

    expires_at: float
    by_model: Mapping[str, Sequence[Claim]]


Waiting = list[tuple[Claim, float]]
"""Claims of the calls of one run that wait for one model, in topological order, each with its number of calls (the
items of a map)."""


class Demand:
    """Per own run and model the calls that no engine has yet: their work, and when they must start.

    Runs without a deadline and late runs are not counted: they wait behind the others; ``waves`` has all but the late.
    What other gateways publish counts until ``ttl_s`` seconds after it was heard. ``expected``: what runs that have not
    arrived yet will ask for.
    """

    def __init__(self, margin: float, expect_s: float, ttl_s: float = 2.0) -> None:
        self.waves = Waves()
        self.expected = Expected(expect_s)
        self._scarcity = Scarcity()
        self._margin = margin
        self._ttl_s = ttl_s
        self._by_model: dict[str, dict[str, Waiting]] = {}
        self._heard: dict[str, _Heard] = {}

    def follow(
        self,
        run_id: str,
        deadline: float,
        path: Sequence[PathCall],
        now: float,
        standing: Standing = EQUAL,
        after: Mapping[str, Span] | None = None,
    ) -> None:
        """Take the run's calls that have not ended as they are predicted now; ``after``: their tails where known."""
        self.forget(run_id)
        self.waves.follow(run_id, path, now)
        if deadline == NEVER:
            return
        if after is None:
            after = tails(path)
        for call in path:
            if call.work_s > 0:
                remaining = then(call.span, after[call.name])
                work_s = call.work_s * call.probability
                claim = Claim.of(run_id, remaining, deadline, work_s, 0.0, self._margin, standing)
                self._by_model.setdefault(call.model, {}).setdefault(run_id, []).append((claim, call.calls))

    def arrived(self, run_id: str, now: float) -> None:
        """The run, followed since now, is a new one: more like it are expected."""
        for model, runs in self._by_model.items():
            claims = [claim for claim, _ in runs.get(run_id, ())]
            if claims:
                self._scarcity.arrived(model, _ask(claims), now)
            for claim in claims:
                self.expected.arrived(model, claim, now)

    def placed(self, run_id: str, model: str) -> None:
        """An engine has one call of the run: the first that waits for ``model``."""
        self.waves.placed(run_id, model)
        waiting = self._by_model.get(model, {}).get(run_id)
        if not waiting:
            return
        claim, calls = waiting[0]
        if calls > 1:
            waiting[0] = (replace(claim, work_s=claim.work_s * (1 - 1 / calls)), calls - 1)
        elif len(waiting) > 1:
            del waiting[0]
        else:
            del self._by_model[model][run_id]

    def forget(self, run_id: str) -> None:
        self.waves.forget(run_id)
        for entries in self._by_model.values():
            entries.pop(run_id, None)

    def crowded_out(self, run_id: str, pools: Mapping[str, PoolState], now: float) -> str | None:
        """The first pool that cannot serve this run in time beside those that are worth more there, of the runs that
        have arrived and those that are expected; None: all can, as all can where less is expected than engines can do.
        """
        for model, own, pool in self._contended(run_id, pools):
            expected, of_peers = self.expected.claims(model, now), self._of_peers(model, now)
            asked = self._asked([*expected, *of_peers], pool)
            if asked < CALM:
                continue
            claims = [*own, *expected, *self._of_others(run_id, model), *of_peers]
            kept = keep(claims, pool.num_replicas, now, spare=partial(self._can_spare, model, pool, now))
            if [claim.name for claim in kept].count(run_id) < len(own):
                return model
        return None

    def too_dear(self, run_id: str, pools: Mapping[str, PoolState], now: float) -> str | None:
        """The first pool of which this run, which is not admitted yet, asks for too much while arriving runs ask for
        so much more than its engines can do that within ``expect_s`` not everybody has time to wait; None: none."""
        for model, own, pool in self._contended(run_id, pools):
            engines = self._own_engines(pool, now)
            excess = self._scarcity.excess(model, engines, now)
            if excess <= 0 or not self._scarcity.turns_away(model, _ask(own), excess):
                continue
            claims = [*own, *self._of_others(run_id, model), *self._of_peers(model, now)]
            if room_s(claims, pool.num_replicas, now) < excess * self.expected.horizon_s:
                return model
        return None

    def turned_away(self, run_id: str, pools: Mapping[str, PoolState], now: float) -> str | None:
        """The first pool that has no room for this run, which is not admitted yet; None: all have."""
        for model, own, pool in self._contended(run_id, pools):
            of_peers = self._of_peers(model, now)
            others = self._of_others(run_id, model) + of_peers
            if has_room(own, others, pool.num_replicas, now):
                continue
            if not self._can_spare(model, pool, now) or not gains(own, others, pool.num_replicas, now):
                return model
        return None

    def _can_spare(self, model: str, pool: PoolState, now: float) -> bool:
        """Whether the pool can do what it is asked for, so that nobody who is kept delays those still to come."""
        return self._scarcity.engines(model, now) < OVERLOAD * self._own_engines(pool, now)

    def _own_engines(self, pool: PoolState, now: float) -> float:
        """What this gateway's runs have of the pool: their share of the work that those of all gateways ask for."""
        of_peers = math.fsum(claim.work_s for model in self._by_model for claim in self._of_peers(model, now))
        if of_peers == 0:
            return pool.num_replicas
        own = math.fsum(
            claim.work_s for runs in self._by_model.values() for waiting in runs.values() for claim, _ in waiting
        )
        return pool.num_replicas * own / (own + of_peers)

    def _asked(self, claims: Sequence[Claim], pool: PoolState) -> float:
        """Share of what the pool's engines can do within the horizon."""
        asked_s = math.fsum([claim.work_s for claim in claims])
        can_do_s = pool.num_replicas * self.expected.horizon_s
        return asked_s / can_do_s if can_do_s > 0 else math.inf

    def deferrable(self, model: str, deadline: float, now: float) -> float:
        """The share of the work that waits for ``model`` which need not begin before ``deadline``."""
        claims = [claim for waiting in self._by_model.get(model, {}).values() for claim, _ in waiting]
        claims += self._of_peers(model, now)
        asked_s = sum(claim.work_s for claim in claims)
        later_s = sum(claim.work_s for claim in claims if claim.latest_start > deadline)
        return later_s / asked_s if asked_s > 0 else 0.0

    def _contended(
        self, run_id: str, pools: Mapping[str, PoolState]
    ) -> Iterator[tuple[str, Sequence[Claim], PoolState]]:
        """Pools that this run waits for and its claims there. Those where nobody waits can serve everybody."""
        for model, waiting in self._by_model.items():
            pool = pools.get(model)
            if run_id in waiting and pool is not None and pool.num_replicas and pool.is_contended:
                yield model, [claim for claim, _ in waiting[run_id]], pool

    def _of_others(self, run_id: str, model: str) -> list[Claim]:
        """This gateway's other runs."""
        return [claim for name, waiting in self._by_model[model].items() if name != run_id for claim, _ in waiting]

    def buckets(self, now: float) -> tuple[BacklogBucket, ...]:
        """This gateway's own demand for the others, at most ``NUM_BUCKETS`` per pool and standing."""
        found: dict[tuple[str, bool, int], tuple[int, float, float]] = {}
        for model, runs in self._by_model.items():
            for claim, _ in chain.from_iterable(runs.values()):
                starts_in_s = claim.latest_start - now
                index = min(NUM_BUCKETS - 1, max(0, math.floor(starts_in_s / BUCKET_S)))
                key = (model, claim.standing.over_share, index)
                count, work_s, sum_s = found.get(key, (0, 0.0, 0.0))
                found[key] = (count + 1, work_s + claim.work_s, sum_s + starts_in_s)
        return tuple(
            BacklogBucket(model, sum_s / count, count, work_s, over_share)
            for (model, over_share, _), (count, work_s, sum_s) in sorted(found.items())
        )

    def heard(self, gateway_id: str, buckets: Sequence[BacklogBucket], now: float) -> None:
        """Another gateway's demand replaces what was heard of it before."""
        by_model: dict[str, list[Claim]] = {}
        for bucket in buckets:
            claims = by_model.setdefault(bucket.model, [])
            parts = min(bucket.num_runs, MAX_PEER_CLAIMS)
            latest_start = now + bucket.latest_start_s
            standing = Standing(over_share=bucket.over_share)
            part = Claim(gateway_id, ZERO, latest_start, latest_start, bucket.work_s / max(1, parts), standing=standing)
            claims += [part] * parts
        self._heard[gateway_id] = _Heard(now + self._ttl_s, by_model)

    def _of_peers(self, model: str, now: float) -> list[Claim]:
        for gateway_id in [name for name, heard in self._heard.items() if heard.expires_at < now]:
            del self._heard[gateway_id]
        return [claim for heard in self._heard.values() for claim in heard.by_model.get(model, ())]


def _ask(claims: Sequence[Claim]) -> Ask:
    """What the claims of a run come to."""
    return Ask(math.fsum(claim.work_s for claim in claims), claims[0].standing)
