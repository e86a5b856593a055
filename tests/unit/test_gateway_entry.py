"""Who is admitted where calls wait."""

from __future__ import annotations

from dataclasses import replace

from gateway_driver import POOL, GatewayDriver

from catenary.core.gateway.events import PoolsReported, Refuse
from catenary.model.outcome import Outcome

ONE = """
name: one
calls:
  a: {model: m, prompt: "A", max_tokens: 60}
"""


def test_a_newcomer_without_room_is_turned_away_though_nothing_more_is_expected() -> None:
    """Beside equals that were there before; once there, it would not be one to give way."""
    driver = GatewayDriver(admission="none")
    driver.feed(PoolsReported([replace(POOL, num_seats=1, num_running=1, num_queued=1)]))
    num_admitted = 0
    while not driver.of(Refuse) and num_admitted < 100:
        driver.submit(ONE, f"run-{num_admitted}", deadline_s=1.0)
        num_admitted += 1
    refused = driver.of(Refuse)
    assert num_admitted < 60
    assert refused[0].refusal.outcome is Outcome.REJECTED_INFEASIBLE
    assert "beside the runs already there" in refused[0].refusal.reason
