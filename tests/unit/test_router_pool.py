"""A call that was found to wait is looked at again when a place changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from queued_calls import queued

from catenary.core.router.pool import Pool
from catenary.core.router.settings import RouterSettings
from catenary.model.profile import EngineProfile
from catenary.model.worker import Replica, ReplicaState, Worker

Change = Callable[[Pool], object]


@pytest.fixture
def pool() -> Pool:
    """One replica with a call placed on it."""
    pool = Pool("m", EngineProfile("m"), RouterSettings(epoch=1))
    replica = Replica("m", ReplicaState.AWAKE, 1, max_num_seqs=4)
    pool.update(Worker("w0", "w0:1", 1, (replica,)), replica, 0.0)
    pool.reserve(queued("placed"), "w0", 1.0, 0.0)
    return pool


def test_it_waits_until_its_time_while_the_places_stay_as_they_are(pool: Pool) -> None:
    waiting = queued("waiting")
    pool.hold(waiting, until=0.1)
    assert pool.is_held(waiting, 0.05)
    assert not pool.is_held(waiting, 0.1)
    assert not pool.is_held(queued("another"), 0.05)


@pytest.mark.parametrize(
    "change",
    [lambda pool: pool.reserve(queued("next"), "w0", 1.0, 0.0), lambda pool: pool.release("placed")],
    ids=["a place is taken", "a place is free"],
)
def test_it_is_looked_at_again_once_a_place_changes(pool: Pool, change: Change) -> None:
    waiting = queued("waiting")
    pool.hold(waiting, until=0.1)
    change(pool)
    assert not pool.is_held(waiting, 0.05)


def test_the_pool_says_for_how_long_all_its_calls_could_pause(pool: Pool) -> None:
    assert pool.state(0.0).slack_s == 0.0, "none of them has a deadline"
    pool.reserve(replace(queued("due"), latest_finish=31.0), "w0", expected_finish=1.0, now=0.0)
    assert pool.state(0.0).slack_s == 30.0
    assert pool.state(5.0).slack_s == 26.0, "it takes longer than was expected"
    pool.queue.push(replace(queued("waiting"), latest_finish=20.0), key=0.0)
    assert 0.0 < pool.state(5.0).slack_s < 15.0
    assert pool.state(25.0).slack_s == 0.0
