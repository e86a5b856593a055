"""Which calls a worker takes, and whose word on a call counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worker_cores import CALL, LOOKAHEAD, SEATS, awake_core, refusal

from catenary.core.worker.calls import EpochGuard
from catenary.core.worker.events import AbortCalls, Started
from catenary.model.outcome import FinishReason


def test_calls_are_taken_up_to_seats_and_lookahead() -> None:
    core = awake_core()
    for index in range(SEATS + LOOKAHEAD):
        assert refusal(core, replace(CALL, call_id=f"r/{index}")) is None
    assert refusal(core, replace(CALL, call_id="r/9")) is FinishReason.OVERLOADED


def test_the_bound_on_all_calls_holds_across_models() -> None:
    core = awake_core(max_calls=1)
    assert refusal(core, CALL) is None
    assert refusal(core, replace(CALL, call_id="r/2")) is FinishReason.OVERLOADED


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": "x"}, FinishReason.INVALID),
        ({"prompt_tokens": 0}, FinishReason.INVALID),
        ({"prompt_tokens": 100}, FinishReason.INVALID),
        ({"model": "n"}, FinishReason.REPLICA_DRAINING),
    ],
)
def test_a_call_that_cannot_run_here_is_refused(change: dict[str, object], reason: FinishReason) -> None:
    assert refusal(awake_core(), replace(CALL, **change)) is reason  # type: ignore[arg-type]


def test_a_newer_attempt_replaces_the_older_one_which_counts_as_stale() -> None:
    core = awake_core()
    first = core.start_call(CALL)
    second = core.start_call(replace(CALL, attempt=2))
    assert isinstance(first, Started)
    assert isinstance(second, Started)
    assert second.aborts == (first.handle,)
    ended, _ = core.call_ended(first.handle, FinishReason.LENGTH, "", 1.0)
    assert ended is not None
    assert ended.reason is FinishReason.STALE_EPOCH
    assert refusal(core, CALL) is FinishReason.STALE_EPOCH


def test_a_newer_owner_ends_every_call_of_the_older_one() -> None:
    core = awake_core()
    handles = [core.start_call(replace(CALL, call_id=f"r1/{name}")) for name in "ab"]
    other = core.start_call(replace(CALL, call_id="r2/a"))
    decision = core.start_call(replace(CALL, call_id="r1/c", run_epoch=2))
    assert decision.aborts == tuple(h.handle for h in handles if isinstance(h, Started))
    assert isinstance(other, Started)
    assert refusal(core, replace(CALL, call_id="r1/d")) is FinishReason.STALE_EPOCH


def test_a_newer_router_shuts_out_the_older_one() -> None:
    core = awake_core()
    core.watched(4)
    assert refusal(core, replace(CALL, router_epoch=3)) is FinishReason.STALE_EPOCH
    assert refusal(core, replace(CALL, router_epoch=5)) is None
    assert refusal(core, replace(CALL, call_id="r/b", router_epoch=4)) is FinishReason.STALE_EPOCH


def test_an_abort_of_an_older_owner_or_attempt_is_ignored() -> None:
    core = awake_core()
    core.start_call(replace(CALL, attempt=2, run_epoch=2))
    assert core.abort_call(CALL.call_id, 2, 1) == []
    assert core.abort_call(CALL.call_id, 1, 2) == []
    assert core.abort_call(CALL.call_id, 2, 2) == [AbortCalls((1,))]
    assert core.abort_call(CALL.call_id, 2, 2) == []


def test_a_call_being_aborted_leaves_the_snapshot_and_its_seat_at_once() -> None:
    core = awake_core()
    for index in range(3):
        core.start_call(replace(CALL, call_id=f"r/{index}"))
    core.abort_call("r/0", 1, 1)
    assert [call.call_id for call in core.snapshot(0, 0.0).replicas[0].calls] == ["r/1", "r/2"]
    assert refusal(core, replace(CALL, call_id="r/3")) is None


def test_only_waiting_calls_are_dropped_as_lost() -> None:
    core = awake_core()
    for index, lost_after in enumerate((5.0, 5.0, None)):
        core.start_call(replace(CALL, call_id=f"r/{index}", lost_after=lost_after))
    core.call_running(1)
    assert core.drop_lost(5.0) == []
    assert core.drop_lost(5.1) == [AbortCalls((2,))]


def test_the_epochs_of_the_runs_heard_of_last_are_remembered() -> None:
    guard = EpochGuard(limit=2)
    assert not guard.note_run("r1", 3)
    assert guard.note_run("r1", 4)
    guard.note_run("r2", 1)
    guard.note_run("r1", 4)
    guard.note_run("r3", 1)
    assert [guard.run(name) for name in ("r1", "r2", "r3")] == [4, 0, 1]
