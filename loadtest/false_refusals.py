"""Runs that were refused and need not have been: the same policies without admission finish them in time.

    python loadtest/false_refusals.py TRACES [--scenario tests/scenarios/chain_fixed.yaml ...] [--loads 0.8 0.9]

TRACES is a folder as loadtest/policy_table.py reads it. Prints per cent of all runs, mean over the seeds.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

from catenary.simulation.scenario import load_scenario
from catenary.simulation.simulate import simulate
from policy_table import SCENARIOS, traces

ALL_ADMITTED = ("gateway.admission=none", "gateway.shed_crowded=false")


def refusals(scenario: Path, trace: Path | None, overrides: Sequence[str] = (), seed: int = 1) -> tuple[float, float]:
    """Shares of the runs that were refused, and that were refused though they would have been in time."""
    _, ours = simulate(load_scenario(scenario, "catenary", overrides), "catenary", seed, trace)
    refused = ours.ends.refusals
    if not refused:
        return 0.0, 0.0
    _, admitted = simulate(load_scenario(scenario, "catenary", (*overrides, *ALL_ADMITTED)), "catenary", seed, trace)
    wrongly = sum(admitted.ends.runs[run_id].met for run_id in refused)
    return len(refused) / len(ours.submitted), wrongly / len(ours.submitted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", type=Path)
    names = ("chain_fixed", "chain_own")
    parser.add_argument("--scenario", type=Path, nargs="+", default=[SCENARIOS / f"{name}.yaml" for name in names])
    parser.add_argument("--loads", nargs="+", default=["0.8", "0.9"])
    args = parser.parse_args()
    print(f"{'per cent of all runs':<28}{'refused':>10}{'wrongly':>10}")
    for scenario in args.scenario:
        for load, files in traces(args.traces).items():
            if load in args.loads:
                found = [refusals(scenario, trace) for trace in files]
                refused, wrongly = (100 * statistics.fmean(part) for part in zip(*found, strict=True))
                print(f"{scenario.stem + ' ' + load:<28}{refused:>10.1f}{wrongly:>10.1f}", flush=True)


if __name__ == "__main__":
    main()
