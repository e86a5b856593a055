"""What must hold after every event holds, over seeds and faults; and the checker sees what breaks.

CATENARY_TEST_SEEDS=2000 runs that many seeds (some seven a second), from CATENARY_TEST_SEED on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from faulty_scenarios import faulty_scenario

from catenary.core.gateway.attempts import Attempts
from catenary.core.gateway.events import CallProgressed
from catenary.core.router.pool import Pool
from catenary.model.dispatch import ReplicaLoad
from catenary.model.worker import ReplicaState
from catenary.simulation.cluster import Cluster
from catenary.simulation.invariants import BrokenInvariant, Invariants
from catenary.simulation.replica import HeldCall
from catenary.simulation.simulate import prepare

FIRST = int(os.environ.get("CATENARY_TEST_SEED", "0"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("CATENARY_TEST_SEEDS", "12")))
ARRIVALS_S = 3.0
RESERVATION_S = 40.0
"""Reservations of calls whose end nobody told the router of expire within this time."""


def run(seed: int, arrivals_s: float = ARRIVALS_S) -> Invariants:
    watcher = Invariants()
    scenario, _ = faulty_scenario(seed, arrivals_s)
    cluster, _ = prepare(scenario, seed, None, watcher)
    cluster.run()
    cluster.go_on(RESERVATION_S)
    watcher.at_rest(cluster)
    return watcher


@pytest.mark.timeout(60 + 3 * len(SEEDS))
def test_invariants_hold_over_seeds_and_faults() -> None:
    for seed in SEEDS:
        try:
            assert run(seed).num_checks > 100
        except BrokenInvariant as error:
            pytest.fail(f"CATENARY_TEST_SEED={seed}: {error}")


def _overbook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ReplicaLoad, "free_places", property(lambda load: 40 - load.num_placed))


def _forget_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    update = Pool.update
    monkeypatch.setattr(
        Pool,
        "update",
        lambda pool, worker, replica, now: update(pool, worker, replace(replica, state=ReplicaState.AWAKE), now),
    )


def _drop_text(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens_until = HeldCall.tokens_until

    def shortened(call: HeldCall, count: int) -> CallProgressed | None:
        event = tokens_until(call, count)
        return replace(event, text=event.text[1:]) if event is not None else None

    monkeypatch.setattr(HeldCall, "tokens_until", shortened)


def _drop_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    progressed = Attempts.progressed

    def first_only(attempts: Attempts, event: CallProgressed, now: float) -> object:
        return progressed(attempts, event, now)[: 1 - bool(event.offset)]

    monkeypatch.setattr(Attempts, "progressed", first_only)


def _end_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Cluster.ended

    def twice(cluster: Cluster, run: Any) -> None:
        ended(cluster, run)
        ended(cluster, run)

    monkeypatch.setattr(Cluster, "ended", twice)


@pytest.mark.parametrize(
    ("break_it", "seed", "said"),
    [
        (_overbook, 12, "too many"),
        (_forget_drain, 0, "which takes no calls"),
        (_drop_text, 0, "another text"),
        (_drop_tokens, 0, "has tokens from|were sent"),
        (_end_twice, 0, "ends twice"),
    ],
)
def test_the_checker_sees(
    break_it: Callable[[pytest.MonkeyPatch], None], seed: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_it(monkeypatch)
    with pytest.raises(BrokenInvariant, match=said):
        run(seed, 2.0)
