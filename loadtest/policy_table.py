"""Missed objectives by policy and load, median over the seeds, on the virtual clock.

    python loadtest/policy_table.py TRACES [--scenario tests/scenarios/chain_fixed.yaml ...] [--policies fcfs catenary]
    python loadtest/policy_table.py --seeds 11 12 13 14

TRACES is a folder of chain_LOAD_seedN.csv files (arrival_s, prompt_tokens, a_tokens, b_tokens, c_tokens,
own_latency_s), as tests/scenarios/traces holds. With --seeds arrivals and lengths are drawn from the scenarios'
distributions with those seeds instead. Prints per cent missed; refused and unfinished runs are misses.
"""

from __future__ import annotations

import argparse
import re
import statistics
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from catenary.simulation.report import Report
from catenary.simulation.scenario import load_scenario
from catenary.simulation.simulate import simulate

SCENARIOS = Path(__file__).parent.parent / "tests" / "scenarios"
LOADS = ("0.8", "0.9", "1.0", "1.1", "1.3", "burst")
BURST = "[{duration_s: 30, load: 0.5}, {duration_s: 20, load: 1.6}, {duration_s: 40, load: 0.5}]"
NAME = re.compile(r"chain_([0-9.]+|burst)_seed(\d+)\.csv")


def traces(folder: Path) -> dict[str, list[Path]]:
    """Files by load, seeds in order."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if match := NAME.fullmatch(path.name):
            found[match[1]].append(path)
    return found


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Of one load: drawn with ``seed``, or read from ``trace``."""

    load: str
    seed: int = 1
    trace: Path | None = None

    def report(self, scenario: Path, policy: str) -> Report:
        phases = BURST if self.load == "burst" else f"[{{duration_s: 60, load: {self.load}}}]"
        changes = () if self.trace else (f"work.phases={phases}",)
        return simulate(load_scenario(scenario, policy, changes), policy, self.seed, self.trace)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, nargs="+", default=[])
    parser.add_argument("--loads", nargs="+", default=LOADS)
    names = ("chain_fixed", "chain_own")
    parser.add_argument("--scenario", type=Path, nargs="+", default=[SCENARIOS / f"{name}.yaml" for name in names])
    parser.add_argument("--policies", nargs="+", default=["fcfs", "edf", "catenary"])
    args = parser.parse_args()
    if bool(args.seeds) == bool(args.traces):
        parser.error("either TRACES or --seeds")
    found = traces(args.traces) if args.traces else {}
    by_load = {
        load: [Arrivals(load, seed) for seed in args.seeds] or [Arrivals(load, 1, path) for path in found[load]]
        for load in args.loads
    }
    print(f"{'missed, per cent':<28}" + "".join(f"{load:>8}" for load in by_load))
    for scenario in args.scenario:
        for policy in args.policies:
            reports = [[one.report(scenario, policy) for one in every] for every in by_load.values()]
            missed = [100 * statistics.median(one.missed for one in each) for each in reports]
            longest = [100 * statistics.median(one.missed_longest_decile for one in each) for each in reports]
            print(f"{scenario.stem + ' ' + policy:<28}" + "".join(f"{value:>8.1f}" for value in missed), flush=True)
            print(f"{'  of the longest tenth':<28}" + "".join(f"{value:>8.1f}" for value in longest), flush=True)


if __name__ == "__main__":
    main()
