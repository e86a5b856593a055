"""Profiles as tables."""

from __future__ import annotations

from rich.console import Console

from catenary.cli.profile_view import age, grid_table, profiles_table
from catenary.v1 import profile_pb2


def test_the_list_fits_eighty_cells_and_shows_age_and_prediction_error() -> None:
    profile = profile_pb2.Profile(
        model="small",
        accelerator="NVIDIA H100 80GB HBM3",
        engine="vllm 0.32.0",
        origin="measured",
        version=3,
        online_error=0.042,
        online_calls=128,
        correction=1.0,
    )
    profile.measure_time.FromSeconds(1_000_000)
    console = Console(width=80)
    with console.capture() as captured:
        console.print(profiles_table([profile], 1_000_000.0 + 3 * 86_400))
    for expected in ("small", "NVIDIA", "measured 3", "3 days", "4.2%", "1.00"):
        assert expected in captured.get()


def test_an_age_is_in_the_largest_unit_that_is_at_least_one() -> None:
    assert [age(s) for s in (-1, 45, 720, 10_800, 700_000)] == ["0 s", "45 s", "12 min", "3 h", "8 days"]


def test_the_measured_points_fit_eighty_cells() -> None:
    point = profile_pb2.ProfilePoint(
        kind="prefill", prompt_tokens=16_384, output_tokens=1, batch=256, measured_s=1.23456, fitted_s=1.1, repeats=3
    )
    console = Console(width=80)
    with console.capture() as captured:
        console.print(grid_table(profile_pb2.Profile(points=[point])))
    assert "…" not in captured.get()
    for expected in ("prefill", "16384", "1234.56", "1100.00", "-10.9%"):
        assert expected in captured.get()
