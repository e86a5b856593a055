"""Waiting calls are counted by the time left until they have to begin."""

from __future__ import annotations

from dataclasses import replace

from catenary.core.router import Offered, RouterCore, RouterSettings
from catenary.core.router.waiting import waiting_by_slack
from catenary.model.dispatch import NEVER, QueuedCall
from catenary.model.lengths import LengthEstimate
from catenary.model.profile import EngineProfile


def test_each_waiting_call_is_in_one_class_of_slack() -> None:
    profile = EngineProfile(model="m", step_base_s=0.01, step_seq_s=0.0, prefill_base_s=0.01, max_num_seqs=2)
    core = RouterCore(RouterSettings(epoch=1), {"m": profile})
    length = LengthEstimate.exactly(10)
    base = QueuedCall("c", 1, "g", "m", prompt_tokens=10, max_tokens=10, output=length, ready_at=0.0)
    for i, finish in enumerate((0.05, 0.9, 4.0, 20.0, 100.0, NEVER)):
        ends = {"latest_finish": finish, "deadline": finish, "lost_finish": NEVER if finish == NEVER else finish + 99}
        core.handle(Offered(replace(base, call_id=f"c{i}", **ends)), 0.0)  # type: ignore[arg-type]
    waiting = waiting_by_slack(core.pools["m"], 0.0)
    counts = (waiting.num_late, waiting.num_under_1s, waiting.num_under_5s, waiting.num_under_30s)
    assert counts == (1, 1, 1, 1)
    assert (waiting.num_over_30s, waiting.num_no_deadline) == (1, 1)
