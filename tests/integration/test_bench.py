"""The comparison's Catenary side for a few seconds: every process real."""

from __future__ import annotations

from bench.arrival import Finished
from bench.catenary_system import CatenarySystem, one_model_each
from bench.generator import offer
from bench.pieces import SCENARIOS
from bench.system import Capacity
from bench.work import load_work


async def test_a_small_load_is_served_in_time_by_the_engines_of_the_scenario() -> None:
    work = load_work(SCENARIOS / "branch.yaml", None, 1, ("work.phases=[{duration_s: 2, load: 0.2}]",))
    finished: list[Finished] = []
    async with CatenarySystem(
        "catenary", work, one_model_each(work.scenario.replicas), {}, stream_tokens=True
    ) as system:
        assert await system.capacity() == Capacity(4, 4)
        await offer(system, work.arrivals, "run", finished.append)
    assert len(finished) == len(work.arrivals) > 3
    assert all(one.ending.succeeded for one in finished)
    assert all(one.ending.token_events > 10 for one in finished)
    for one in finished:
        ran = [call.name for call in one.ending.calls if call.output_tokens]
        assert ("rewrite" in ran) is one.arrival.inputs["critique_out"].endswith("!")
