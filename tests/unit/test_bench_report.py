"""Rows of a comparison and the report made from them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench.arrival import Arrival, CallFigures, Ending, Finished
from bench.comparison import Job, missing, write_rows
from bench.limits import Limits, bisect
from bench.recorder import capacity_line, run_line, sample_line, write_lines
from bench.report import write_report
from bench.results import missed_by_decile
from bench.row import Load, Measured, Row, row
from bench.system import Capacity
from bench.usage_plots import role
from bench.versions import git_hash
from bench.watch import Sample
from bench.work import load_work

SCENARIOS = Path(__file__).parent.parent / "scenarios"
LOAD = Load("chain", "chain_1.1_seed1", "own x 2")
CALM = [Sample(float(second), 0.4, {"gateway": 0.3, "worker": 0.1}, 500.0) for second in range(10)]


def run(number: int, latency_s: float, ending: Ending | None = None, lag_s: float = 0.0) -> Finished:
    at_s = float(number)
    arrival = Arrival(number, at_s, {}, 2.0, 1.0 + number, 100, "red" if number % 2 else "blue")
    return Finished(arrival, at_s + lag_s, at_s + latency_s, ending or Ending("SUCCEEDED"))


def measured(*finished: Finished, samples: list[Sample] | None = None) -> Measured:
    capacities = [(0.0, Capacity(6, 6)), (4.0, Capacity(7, 8))]
    return Measured(finished, CALM if samples is None else samples, capacities, 10.0, 12.0)


def made(found: Measured) -> Row:
    return row("catenary", "catenary 1", LOAD, found)


def test_refused_failed_and_late_runs_are_missed() -> None:
    one = made(
        measured(run(0, 1.0), run(1, 3.0), run(2, 0.1, Ending("REJECTED_INFEASIBLE")), run(3, 0.1, Ending("FAILED")))
    )
    assert (one.missed, one.refused, one.failed) == (0.75, 0.25, 0.25)
    assert one.goodput_per_s == 0.1
    assert one.goodput_tokens_per_s == 10.0


def test_quantiles_are_over_runs_that_succeeded_late_ones_included() -> None:
    one = made(measured(run(0, 1.0), run(1, 3.0), run(2, 9.0, Ending("EXPIRED"))))
    assert (one.p50_s, one.p99_s) == (3.0, 3.0)


def test_replica_and_accelerator_seconds_count_until_the_last_run_has_ended() -> None:
    one = made(measured(run(0, 1.0)))
    assert one.replica_seconds == 4 * 6 + 8 * 7
    assert one.accelerator_seconds == 4 * 6 + 8 * 8


@pytest.mark.parametrize(
    ("samples", "lag_s", "saturated"),
    [
        (CALM, 0.0, False),
        ([replace(sample, machine=1.0) for sample in CALM], 0.0, True),
        ([replace(sample, cores={"gateway": 0.99}) for sample in CALM], 0.0, True),
        ([*CALM[:9], replace(CALM[9], machine=1.0)], 0.0, False),
        (CALM, 0.2, True),
    ],
)
def test_a_busy_core_a_busy_machine_or_a_late_generator_marks_the_row(
    samples: list[Sample], lag_s: float, saturated: bool
) -> None:
    assert made(measured(run(0, 1.0, lag_s=lag_s), samples=samples)).saturated is saturated


def test_the_busiest_process_is_named() -> None:
    one = made(measured(run(0, 1.0)))
    assert one.busiest == "gateway"
    assert one.busiest_cores == pytest.approx(0.3)


def test_deciles_go_from_the_shortest_to_the_longest_runs() -> None:
    lines = [run_line(run(number, 1.0 if number < 18 else 5.0)) for number in range(20)]
    assert missed_by_decile(lines) == [0.0] * 9 + [100.0]


def test_the_page_needs_no_other_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls = (CallFigures("a", 0.1, 1.0, 100, 2.0, 1.5),)
    found = measured(*(run(number, 1.0, Ending("SUCCEEDED", calls=calls)) for number in range(20)))
    one = replace(made(found), simulated_missed=0.1)
    write_rows(tmp_path / "ray.json", [one])
    raw = tmp_path / "raw" / "catenary-chain_1.1_seed1"
    write_lines(raw.with_name(raw.name + ".jsonl.gz"), [run_line(finished) for finished in found.finished])
    write_lines(raw.with_name(raw.name + ".processes.jsonl.gz"), [sample_line(sample) for sample in found.samples])
    write_report(tmp_path)
    page = (tmp_path / "ray.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert "http" not in page
    assert "chain_1.1_seed1" in capsys.readouterr().out
    assert json.loads((tmp_path / "ray.json").read_text()) == [asdict(one)]


@pytest.mark.parametrize(
    ("process", "of"),
    [
        ("generator", "load generator"),
        ("gateway", "front: gateway; proxy and ingress"),
        ("ray ProxyActor", "front: gateway; proxy and ingress"),
        ("worker w1#2", "engines: workers; replicas"),
        ("ray C#2", "engines: workers; replicas"),
        ("default_worker.py#3", "engines: workers; replicas"),
        ("ray ServeController", "control and store"),
        ("valkey", "control and store"),
    ],
)
def test_processes_of_both_sides_have_the_same_roles(process: str, of: str) -> None:
    assert role(process) == of


def test_engines_that_start_and_stop_are_drawn_over_time(tmp_path: Path) -> None:
    found = measured(*(run(number, 1.0) for number in range(12)))
    write_rows(tmp_path / "ray.json", [made(found)])
    raw = tmp_path / "raw" / "catenary-chain_1.1_seed1"
    write_lines(raw.with_name(raw.name + ".jsonl.gz"), [run_line(finished) for finished in found.finished])
    write_lines(raw.with_name(raw.name + ".engines.jsonl.gz"), [capacity_line(*point) for point in found.capacities])
    write_report(tmp_path)
    assert (tmp_path / "plots" / "chain_1.1_seed1_engines.png").is_file()


def test_a_comparison_that_was_cut_goes_on_with_what_has_no_row_of_this_commit() -> None:
    work = load_work(SCENARIOS / "chain_own.yaml", SCENARIOS / "traces" / "chain_1.0_seed1.csv")
    jobs = [Job("catenary", work), Job("ray_fixed", work), Job("ray_tuned", work)]
    rows = [replace(made(measured(run(0, 1.0))), system=job.system, trace=work.label) for job in jobs[:2]]
    rows = [replace(rows[0], git=git_hash()), replace(rows[1], git="0000000")]
    assert [job.system for job in missing(jobs, rows)] == ["ray_fixed", "ray_tuned"]


def test_a_saturated_row_is_said_out_loud(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    busy = [replace(sample, machine=1.0) for sample in CALM]
    write_rows(tmp_path / "ray.json", [made(measured(run(0, 1.0), samples=busy))])
    write_report(tmp_path)
    assert "SATURATED, NOT ABOUT SCHEDULING: catenary (chain_1.1_seed1)" in capsys.readouterr().out
    assert "<p class=saturated>" in (tmp_path / "ray.html").read_text()


def test_limits_stand_in_the_report(tmp_path: Path) -> None:
    write_rows(tmp_path / "ray.json", [made(measured(run(0, 1.0)))])
    (tmp_path / "limits.json").write_text(json.dumps([asdict(Limits("catenary", 3, "x", 0.875, 1.5, None, 6.25, 9.5))]))
    write_report(tmp_path)
    assert "| catenary | 0.88 | 1.50 |  | 6.2 | 9.5 |" in (tmp_path / "ray.md").read_text()


def test_a_bisection_finds_the_edge_from_either_side() -> None:
    assert bisect(lambda value: value <= 0.7, (0.0, 1.0), 12) == pytest.approx(0.7, abs=1e-3)
    assert bisect(lambda value: value >= 0.7, (1.0, 0.0), 12) == pytest.approx(0.7, abs=1e-3)
    assert bisect(lambda value: False, (0.0, 1.0), 3) is None
