"""What costs capacity for a while must have looked right for some time."""

from __future__ import annotations

from catenary.core.provisioner.steady import Steadiness
from catenary.policy.provisioning.decision import Move, MoveKind

SLEEP = Move(MoveKind.SLEEP, "w0", "x", undo_s=5.0)
WAKE = Move(MoveKind.WAKE, "w0", "", "x")


def test_waking_does_not_wait() -> None:
    assert Steadiness(2.0).passed([WAKE], 0.0) == [WAKE]


def test_a_sleep_waits_for_as_long_as_waking_takes() -> None:
    steady = Steadiness(2.0)
    times = [now for now in range(8) if steady.passed([SLEEP], float(now))]
    assert times[0] == 5


def test_a_wish_that_was_given_up_begins_anew() -> None:
    steady = Steadiness(2.0)
    assert [bool(steady.passed([] if now == 3 else [SLEEP], float(now))) for now in range(9)] == [False] * 9
    assert steady.passed([SLEEP], 9.0) == [SLEEP]


def test_the_second_of_two_that_wait_is_not_put_back_by_the_first_that_goes() -> None:
    steady = Steadiness(2.0)
    steady.passed([SLEEP], 0.0)
    steady.passed([SLEEP, SLEEP], 1.0)
    assert steady.passed([SLEEP, SLEEP], 5.0) == [SLEEP]
    assert steady.passed([SLEEP], 6.0) == [SLEEP]
