"""The load generator's arrivals and its open-loop accounting."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from pathlib import Path
from typing import Self

import pytest

from bench.arrival import Arrival, Ending, Finished
from bench.essays import WORKFLOW, cpu_fleet
from bench.generator import offer
from bench.pieces import Piece, cut, real_trace, work_of
from bench.ray_system import RaySettings, RaySystem
from bench.real_engines import loads
from bench.shapes import gpu_fleet
from bench.simulated import warmed
from bench.system import Capacity
from bench.systems import AUTOSCALING
from bench.work import load_work, switch_times, warm_up
from catenary.model.spec import parse_workflow
from catenary.runtime.word_tokenizer import WordTokenizer, asks_for_mark, requested_output_tokens
from catenary.simulation.simulate import prepare

SCENARIOS = Path(__file__).parent.parent / "scenarios"
TRACE = SCENARIOS / "traces" / "chain_1.0_seed1.csv"


class SlowSystem:
    """Every run takes ``seconds``; the ones in ``blocking`` hold up the event loop for that time."""

    name = "slow"
    version = "0"

    def __init__(self, seconds: float, blocking: frozenset[int] = frozenset()) -> None:
        self.seconds = seconds
        self.blocking = blocking

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def submit(self, arrival: Arrival, run_id: str) -> Ending:
        if arrival.number in self.blocking:
            time.sleep(self.seconds)  # noqa: ASYNC251
        else:
            await asyncio.sleep(self.seconds)
        return Ending("SUCCEEDED")

    async def capacity(self) -> Capacity:
        return Capacity(1, 1)


def arrivals(*times: float, deadline_s: float = 1.0) -> list[Arrival]:
    return [Arrival(number, at_s, {}, deadline_s, 0.1, 10) for number, at_s in enumerate(times)]


async def offered(system: SlowSystem, load: list[Arrival]) -> list[Finished]:
    finished: list[Finished] = []
    await offer(system, load, "run", finished.append)
    return sorted(finished, key=lambda one: one.arrival.number)


async def test_runs_are_sent_at_their_times_whatever_became_of_those_before() -> None:
    times = (0.0, 0.05, 0.1)
    finished = await offered(SlowSystem(1.0), arrivals(*times))
    assert all(0 <= one.sent_s - at_s < 0.9 for one, at_s in zip(finished, times, strict=True))


async def test_latency_counts_from_the_intended_arrival_where_the_generator_was_late() -> None:
    first, second = await offered(SlowSystem(0.2, frozenset({0})), arrivals(0.0, 0.01))
    assert second.lag_s > 0.15
    assert second.latency_s == pytest.approx(second.lag_s + 0.2, abs=0.05)
    assert first.lag_s < 0.05


async def test_a_run_past_its_deadline_is_missed_though_it_succeeded() -> None:
    (late,) = await offered(SlowSystem(0.1), arrivals(0.0, deadline_s=0.05))
    assert late.ending.succeeded
    assert not late.met


def test_a_trace_gives_its_arrivals_and_twice_the_own_latency_as_deadline() -> None:
    work = load_work(SCENARIOS / "chain_own.yaml", TRACE)
    first = work.arrivals[0]
    assert (first.at_s, first.own_latency_s, first.deadline_s) == pytest.approx((0.2304, 3.7899, 2 * 3.7899))
    assert first.output_tokens == 400 + 78 + 92


def test_prompts_have_the_traces_tokens_and_tell_the_engine_its_output_length() -> None:
    work = load_work(SCENARIOS / "chain_own.yaml", TRACE)
    inputs = work.arrivals[0].inputs
    prompt = work.workflow["calls"]["a"]["prompt"]
    for name, value in inputs.items():
        prompt = prompt.replace(f"{{{{ inputs.{name} }}}}", value)
    ids = WordTokenizer().encode(prompt)
    assert len(ids) == 98
    assert requested_output_tokens(ids) == 400


def test_a_mark_that_a_condition_looks_for_is_asked_of_the_engine() -> None:
    work = load_work(SCENARIOS / "branch.yaml", seed=1)
    assert "'mark' in critique.text" in work.workflow["calls"]["rewrite"]["when"]
    marked = [asks_for_mark(WordTokenizer().encode(f"#out={one.inputs['critique_out']}")) for one in work.arrivals]
    assert 0.3 < statistics.mean(marked) < 0.5


def test_items_of_a_map_carry_their_own_output_length() -> None:
    work = load_work(SCENARIOS / "map.yaml", seed=1)
    ids = WordTokenizer().encode(work.arrivals[0].inputs["languages"][0])
    assert requested_output_tokens(ids) is not None


def test_poisson_and_gamma_gaps_have_the_mean_and_the_variation_asked_for() -> None:
    phases = "work.phases=[{duration_s: 300, load: 1.0}]"
    for extra, variation in ((), 1.0), (("work.arrivals=gamma", "work.gap_cv=2.0"), 2.0):
        work = load_work(SCENARIOS / "chain_own.yaml", None, 3, (phases, *extra))
        times = [one.at_s for one in work.arrivals]
        gaps = [after - before for before, after in itertools.pairwise(times)]
        assert statistics.mean(gaps) == pytest.approx(1 / 16.6, rel=0.08)
        assert statistics.stdev(gaps) / statistics.mean(gaps) == pytest.approx(variation, rel=0.1)


def test_a_cut_trace_ends_where_it_is_told_to(tmp_path: Path) -> None:
    work = load_work(SCENARIOS / "chain_own.yaml", cut(TRACE, 5, tmp_path))
    assert 60 < len(work.arrivals) < 110
    assert work.arrivals[-1].at_s < 5


def test_engines_of_a_piece_take_as_long_to_start_as_it_says(tmp_path: Path) -> None:
    work = work_of(Piece("chain_own_burst12", "burst", 1, (), start_s=3.0), None, tmp_path)
    assert {times["wake_s"] for times in switch_times(work).values()} == {3.0}
    assert work.label == "chain_own_burst12_burst_start_3s_seed1"
    settings = RaySettings(work.scenario.replicas, autoscaling=AUTOSCALING)
    autoscaled = RaySystem("ray_auto", work, settings, Path("python"))._engines()
    assert {engine["start_s"] for engine in autoscaled.values()} == {3.0}


def test_warm_up_runs_are_the_same_each_time_and_of_the_same_work() -> None:
    work = load_work(SCENARIOS / "chain_own.yaml", TRACE)
    assert warm_up(work) == warm_up(work)
    assert {one.number for one in warm_up(work)} <= {one.number for one in work.arrivals}


def test_the_warm_up_has_the_objectives_of_the_work() -> None:
    """One far from them teaches a learner of output lengths that objectives say nothing."""
    work = load_work(SCENARIOS / "chain_own.yaml", TRACE)
    assert {one.deadline_s for one in warm_up(work)} <= {one.deadline_s for one in work.arrivals}


def test_the_simulator_gets_the_same_warm_up_tenants_and_gaps() -> None:
    work = load_work(SCENARIOS / "chain_own.yaml", TRACE, tenants=("red", "green"))
    cold, _ = prepare(work.scenario, work.seed, work.trace)
    first, counted = warmed(work, cold.submitted)
    assert [run.job.arrival_s for run in first] == [one.at_s for one in warm_up(work)]
    assert [run.job.tenant for run in counted] == [one.tenant for one in work.arrivals]
    begin_s = counted[0].job.arrival_s - work.arrivals[0].at_s
    assert begin_s > max(run.job.arrival_s for run in first)
    assert [run.job.arrival_s - begin_s for run in counted] == pytest.approx([one.at_s for one in work.arrivals])


def test_real_arrivals_are_scaled_to_the_load(tmp_path: Path) -> None:
    lines = (f"2023-11-16 18:{number // 60:02}:{number % 60:02}.000,256,80" for number in range(3000))
    source = tmp_path / "azure.csv"
    source.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *lines]))
    once = len(load_work(SCENARIOS / "chain_own.yaml", real_trace(source, "1.0", 20.0, tmp_path)).arrivals)
    twice = len(load_work(SCENARIOS / "chain_own.yaml", real_trace(source, "2.0", 20.0, tmp_path)).arrivals)
    assert 200 < once < 500
    assert twice == pytest.approx(2 * once, rel=0.1)


def test_runs_on_real_engines_are_the_same_each_time_and_fill_every_input() -> None:
    first, again = (cpu_fleet().work(2.0, 10.0, 30.0) for _ in range(2))
    assert first == again
    assert len(first.arrivals) == pytest.approx(60, abs=20)
    assert all(set(one.inputs) == set(WORKFLOW["inputs"]) for one in first.arrivals)
    parse_workflow(dict(WORKFLOW))


def test_engines_of_a_card_share_it_evenly_and_serve_the_chain_of_their_workflow() -> None:
    fleet = gpu_fleet().with_seats(32)
    assert fleet.replicas == dict.fromkeys(fleet.models, 1)
    assert [fleet.share_of_device(model) for model in fleet.models] == [0.33, 0.33, 0.33]
    assert {model["max_num_seqs"] for model in fleet.models.values()} == {32}
    assert all(Path(model["profile"]).is_file() for model in fleet.models.values())
    assert {call.model for call in parse_workflow(dict(fleet.workflow)).calls} == set(fleet.models)


def test_a_load_on_real_engines_may_name_its_deadline() -> None:
    fleet = cpu_fleet()
    assert loads(["6", "9:5"], fleet) == [(6.0, fleet.deadline_s), (9.0, 5.0)]
    assert loads(None, fleet) == [(rate, fleet.deadline_s) for rate in fleet.rates]
