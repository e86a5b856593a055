"""Missed objectives by policy and load, median over the seeds, on the virtual clock.

    python loadtest/policy_table.py TRACES [--scenario tests/scenarios/chain_fixed.yaml ...] [--policies fcfs catenary]

TRACES is a folder of chain_LOAD_seedN.csv files (arrival_s, prompt_tokens, a_tokens, b_tokens, c_tokens,
own_latency_s), as tests/scenarios/traces/ holds one. Prints per cent missed; refused and unfinished runs are misses.
"""

from __future__ import annotations

import argparse
import re
import statistics
from collections import defaultdict
from pathlib import Path

from catenary.simulation.report import Report
from catenary.simulation.scenario import load_scenario
from catenary.simulation.simulate import simulate

SCENARIOS = Path(__file__).parent.parent / "tests" / "scenarios"
NAME = re.compile(r"chain_([0-9.]+|burst)_seed(\d+)\.csv")


def traces(folder: Path) -> dict[str, list[Path]]:
    """Files by load, seeds in order."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if match := NAME.fullmatch(path.name):
            found[match[1]].append(path)
    return found


def row(scenario: Path, policy: str, by_load: dict[str, list[Path]]) -> dict[str, list[Report]]:
    return {
        load: [simulate(load_scenario(scenario, policy, ()), policy, 1, path)[0] for path in paths]
        for load, paths in by_load.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", type=Path)
    names = ("chain_fixed", "chain_own")
    parser.add_argument("--scenario", type=Path, nargs="+", default=[SCENARIOS / f"{name}.yaml" for name in names])
    parser.add_argument("--policies", nargs="+", default=["fcfs", "edf", "catenary"])
    args = parser.parse_args()
    by_load = traces(args.traces)
    print(f"{'missed, per cent':<28}" + "".join(f"{load:>8}" for load in by_load))
    for scenario in args.scenario:
        for policy in args.policies:
            reports = row(scenario, policy, by_load)
            missed = [100 * statistics.median(one.missed for one in found) for found in reports.values()]
            longest = [
                100 * statistics.median(one.missed_longest_decile for one in found) for found in reports.values()
            ]
            print(f"{scenario.stem + ' ' + policy:<28}" + "".join(f"{value:>8.1f}" for value in missed), flush=True)
            print(f"{'  of the longest tenth':<28}" + "".join(f"{value:>8.1f}" for value in longest), flush=True)


if __name__ == "__main__":
    main()
