"""Pictures and a page of a scenario under several loads and policies."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from catenary.cli.main import app
from catenary.simulation.consumed import call_times, mean_times
from catenary.simulation.scenario import load_scenario
from catenary.simulation.simulate import simulate

SCENARIO = Path(__file__).parent.parent / "scenarios" / "chain_fixed.yaml"
SHORT = "work.phases=[{duration_s: 2}]"


def report(folder: Path, *options: str) -> tuple[int, str]:
    arguments = ["simulate", str(SCENARIO), "--set", SHORT, "--report", str(folder), *options]
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def test_the_report_is_three_pictures_and_one_page_that_needs_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    code, output = report(tmp_path / "new", "--loads", "0.5,1", "--policies", "catenary,fcfs")
    assert code == 0
    page = Path(output.strip()).read_text()
    assert page.count("data:image/png;base64,") == 3
    assert "http" not in page
    assert page.count("<td>fcfs</td>") == 2
    pictures = sorted(tmp_path.glob("new/*.png"))
    assert [picture.stem for picture in pictures] == ["attainment", "consumed", "slack"]
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)


@pytest.mark.parametrize("loads", ["", "fast", "1,-2"])
def test_wrong_loads_are_named(loads: str, tmp_path: Path) -> None:
    code, output = report(tmp_path, "--loads", loads)
    assert code == 2
    assert "--loads" in output


def test_without_matplotlib_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in ("plots", "sweep_report"):
        monkeypatch.delitem(sys.modules, f"catenary.simulation.{name}", raising=False)
    code, output = report(tmp_path)
    assert code == 2
    assert "catenary[report]" in output


def test_the_parts_of_a_call_add_up_and_a_wait_for_the_first_replica_is_a_cold_start() -> None:
    late = [f"{{kind: slow_start, worker: A-{number}, until_s: 1.5}}" for number in (0, 1)]
    scenario = load_scenario(SCENARIO, "fcfs", [SHORT, f"faults=[{', '.join(late)}]"])
    _, cluster = simulate(scenario, "fcfs", 1)
    times = call_times(cluster, scenario)
    durations = [call.duration_s for run in cluster.ends.runs.values() for call in run.calls]
    parts = [time.cold_s + time.queue_s + time.prefill_s + time.decode_s for time in times]
    assert parts == pytest.approx(durations)
    means = mean_times(times, len(cluster.ends.runs))
    assert means["a"]["cold"] > 0.3
    assert means["b"]["cold"] == means["c"]["cold"] == 0
