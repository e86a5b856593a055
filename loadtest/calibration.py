"""Predicted against measured durations, per call and per run, and how often what was said came true.

    python loadtest/calibration.py SCENARIO [--trace FILE] [--seed N] [--set name.of.value=value ...]

Runs the scenario on the virtual clock with the real cores; output lengths are learned during the run, from nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from catenary.simulation.calibration import Calibration, CalibrationWatcher, Errors
from catenary.simulation.scenario import load_scenario
from catenary.simulation.simulate import simulate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenario", type=Path)
    parser.add_argument("--trace", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", nargs="*", default=[], dest="overrides")
    args = parser.parse_args()
    watcher = CalibrationWatcher()
    scenario = load_scenario(args.scenario, "catenary", args.overrides)
    _, cluster = simulate(scenario, "catenary", args.seed, args.trace, watcher)
    print("\n".join(table(watcher.calibration(cluster))))


def table(found: Calibration) -> list[str]:
    lines = [f"{'':<22}{'count':>8}{'error':>8}{'ratio':>8}{'<= q50':>8}{'<= q90':>8}"]
    lines += [row(f"call of {model}", errors) for model, errors in found.calls.items()]
    lines += [row(f"{model}, length given", errors) for model, errors in found.given_lengths.items()]
    if found.runs is not None:
        lines.append(row("run", found.runs))
    lines.append(f"{'P(in time) said':<22}{'runs':>8}{'said':>8}{'came':>8}")
    for chance in found.chances:
        span = f"{chance.low:g} to {chance.high:g}"
        lines.append(f"{span:<22}{chance.runs:>8}{chance.said:>8.3f}{chance.came:>8.3f}")
    return lines


def row(name: str, errors: Errors) -> str:
    high = "" if errors.below_high is None else f"{errors.below_high:.2f}"
    return (
        f"{name:<22}{errors.count:>8}{errors.median_error:>8.2f}{errors.median_ratio:>8.2f}"
        f"{errors.below_median:>8.2f}{high:>8}"
    )


if __name__ == "__main__":
    main()
