"""The calls that wait in a pool, by the time left until they have to begin."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from catenary.core.router.pool import Pool
from catenary.model.dispatch import NEVER

_BOUNDS_S = (0.0, 1.0, 5.0, 30.0)


@dataclass(frozen=True, slots=True)
class WaitingCalls:
    """Numbers of calls by slack; ``num_late`` includes those of runs that are lost already."""

    model: str
    num_late: int
    num_under_1s: int
    num_under_5s: int
    num_under_30s: int
    num_over_30s: int
    num_no_deadline: int


def waiting_by_slack(pool: Pool, now: float) -> WaitingCalls:
    """Slack: latest finish less the median duration on a full engine, less ``now`` (monotonic s)."""
    counts = [len(pool.late)] + [0] * len(_BOUNDS_S)
    num_no_deadline = 0
    for call in pool.queue.calls():
        if call.latest_finish == NEVER:
            num_no_deadline += 1
        else:
            slack_s = call.latest_finish - pool.pace.predicted_s(call, call.output.q50) - now
            counts[bisect_right(_BOUNDS_S, slack_s)] += 1
    late, under_1s, under_5s, under_30s, over_30s = counts
    return WaitingCalls(pool.model, late, under_1s, under_5s, under_30s, over_30s, num_no_deadline)
