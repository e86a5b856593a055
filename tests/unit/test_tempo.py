"""What an engine's tokens say of its speed, beside what its profile says."""

from __future__ import annotations

import pytest
from queued_calls import queued

from catenary.core.router.pool import Pool
from catenary.core.router.settings import RouterSettings
from catenary.core.router.tempo import LEAST_TOKENS, LONGEST_GAP_S, Tempo
from catenary.model.profile import EngineProfile
from catenary.model.worker import Replica, ReplicaState, ResidentCall, Worker

STEP_S = 0.01


def after(seconds: float, slowness: float, beside: float = 1.0, step_s: float = STEP_S) -> Tempo:
    """Of an engine that takes ``slowness`` times ``STEP_S`` a token, seen every 0.2 s."""
    tempo = Tempo()
    for number in range(round(seconds / 0.2)):
        tempo.fade(0.2 * number)
        tempo.share(beside)
        tempo.observe(round(0.2 / (STEP_S * slowness)), 0.2, step_s)
    return tempo


@pytest.mark.parametrize("slowness", [0.5, 2.0, 5.0])
def test_it_follows_the_tokens(slowness: float) -> None:
    assert after(4.0, slowness).slowness == pytest.approx(slowness, rel=0.05)


def test_a_little_more_or_less_is_chance_and_so_are_few_tokens() -> None:
    assert after(4.0, 1.2).slowness == 1.0
    tempo = Tempo()
    tempo.observe(round(LEAST_TOKENS) - 1, 1.5, STEP_S)
    assert tempo.slowness == 1.0


def test_a_worker_that_stood_still_is_not_slow() -> None:
    tempo = after(4.0, 1.0)
    tempo.observe(1, LONGEST_GAP_S + 0.1, STEP_S)
    assert tempo.slowness == 1.0


def test_what_the_profile_says_of_neighbours_is_not_counted_twice() -> None:
    assert after(8.0, 2.8, beside=2.8).slowness == pytest.approx(2.8, rel=0.05)
    corrected = after(8.0, 2.8, beside=2.8, step_s=2 * STEP_S)
    assert corrected.slowness * 2 == pytest.approx(2.8, rel=0.05)


def test_what_was_seen_is_forgotten() -> None:
    tempo = after(4.0, 3.0)
    tempo.fade(60.0)
    assert tempo.slowness == 1.0


def test_a_pool_learns_from_calls_that_never_end_and_measures_none_that_waits() -> None:
    pool = Pool(
        "m", EngineProfile("m", step_base_s=STEP_S, step_seq_s=0.0, step_context_s=0.0), RouterSettings(epoch=1)
    )
    idle = Replica("m", ReplicaState.AWAKE, 1, max_num_seqs=4)
    pool.update(Worker("w0", "w0:1", 1, (idle,)), idle, 0.0)
    for name in ("runs", "waits"):
        pool.reserve(queued(name, 1000), "w0", 1.0, 0.0)
    for second in range(1, 10):
        seen = (ResidentCall("runs", 1, 1, 25 * second, 10, True), ResidentCall("waits", 1, 1, 5, 10, False))
        replica = Replica("m", ReplicaState.AWAKE, 1, max_num_seqs=4, num_running=1, calls=seen)
        pool.update(Worker("w0", "w0:1", 1, (replica,), sequence=second), replica, float(second))
        pool.share("w0", 0)
    assert pool.state(9.0).interference == pytest.approx(4.0, rel=0.05)
    assert pool.pace.step_s(1) == pytest.approx(0.04, rel=0.05)
