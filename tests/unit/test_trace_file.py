"""Arrivals and lengths that a simulation reads from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from catenary.simulation.scenario import ScenarioError
from catenary.simulation.trace import read_trace

HEAD = "arrival_s,text_tokens,a_tokens,own_latency_s"


def read(folder: Path, *rows: str) -> list[str]:
    file = folder / "trace.csv"
    file.write_text("\n".join([HEAD, *rows]))
    return [job.run_id for job in read_trace(file, ["text"], ["a"])]


def test_runs_come_in_order_of_arrival(tmp_path: Path) -> None:
    assert read(tmp_path, "2.5,10,20,", "0,0,1,0.5") == ["run-000001", "run-000000"]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("nan,10,20,1", "arrival_s: must be in 0..1e\\+07, is 'nan'"),
        ("-1,10,20,1", "arrival_s: must be in 0..1e\\+07, is '-1'"),
        ("1,10,0,1", "a_tokens: must be in 1..1e\\+06, is '0'"),
        ("1,9999999,5,1", "text_tokens: must be in 0..1e\\+06, is '9999999'"),
        ("1,10", "a_tokens: must be in 1..1e\\+06, is None"),
        ("1,10,5,-3", "own_latency_s: must be in 0..1e\\+07, is '-3'"),
        ("one,10,5,1", "could not convert"),
    ],
)
def test_what_no_run_can_have_is_refused_with_its_line(tmp_path: Path, row: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        read(tmp_path, "0,10,20,1", row)


def test_a_file_that_is_not_there_is_named_once(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"none.csv: cannot be read: No such file or directory$"):
        read_trace(tmp_path / "none.csv", [], [])
