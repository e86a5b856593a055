"""Missed objectives of other shapes, objectives and arrivals against first come, first served, on the virtual clock.

    python loadtest/shape_table.py [--shapes parallel branch map] [--factors 1.5 2 3 5] [--loads 0.9 1.1] [--seeds 2]
                                   [--azure FILE ...]

Each run's deadline is a factor times its unloaded latency. With --azure the chain gets arrivals and lengths from traces
of single requests (see loadtest/azure.py). Prints per cent missed, mean over the seeds; refused and unfinished runs are
misses. Ends with 1 where the default policies miss more than a point beyond first come, first served.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from azure import write_trace
from catenary.simulation.scenario import load_scenario
from catenary.simulation.simulate import simulate
from policy_table import SCENARIOS

POLICIES = ("fcfs", "catenary")
ALLOWED = 1.0


def missed(shape: str, policy: str, overrides: Sequence[str], seed: int, trace: Path | None = None) -> float:
    scenario = load_scenario(SCENARIOS / f"{shape}.yaml", policy, overrides)
    return 100 * simulate(scenario, policy, seed, trace)[0].missed


def row(name: str, found: dict[str, list[float]]) -> bool:
    """Print one; True where the default policies are worse than is allowed."""
    fcfs, ours = (statistics.fmean(found[policy]) for policy in POLICIES)
    print(f"{name:<36}{fcfs:>8.1f}{ours:>10.1f}{ours - fcfs:>+8.1f}", flush=True)
    return ours > fcfs + ALLOWED


def shapes(args: argparse.Namespace) -> list[bool]:
    rows = []
    for shape in args.shapes:
        for factor in args.factors:
            for load in args.loads:
                phases = f"work.phases=[{{duration_s: {args.seconds:g}, load: {load:g}}}]"
                changes = (f"objective.own={factor:g}", phases)
                found = {p: [missed(shape, p, changes, s) for s in range(11, 11 + args.seeds)] for p in POLICIES}
                rows.append(row(f"{shape}, {factor:g} x own, load {load:g}", found))
    return rows


def azure(args: argparse.Namespace) -> list[bool]:
    rows = []
    scenario = load_scenario(SCENARIOS / "chain_own.yaml")
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.csv"
        for source in args.azure:
            for load in args.loads:
                for factor in args.factors:
                    found: dict[str, list[float]] = {policy: [] for policy in POLICIES}
                    for seed in range(11, 11 + args.seeds):
                        write_trace(source, scenario, load, args.seconds, seed, trace)
                        for policy in POLICIES:
                            found[policy].append(missed("chain_own", policy, (f"objective.own={factor:g}",), 1, trace))
                    rows.append(row(f"{source.stem[:18]}, {factor:g} x own, load {load:g}", found))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", nargs="*", default=["parallel", "branch", "map"])
    parser.add_argument("--factors", type=float, nargs="+", default=[1.5, 2, 3, 5])
    parser.add_argument("--loads", type=float, nargs="+", default=[0.9, 1.1])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--azure", type=Path, nargs="*", default=[])
    args = parser.parse_args()
    print(f"{'missed, per cent':<36}{'fcfs':>8}{'catenary':>10}")
    sys.exit(any(shapes(args) + azure(args)))


if __name__ == "__main__":
    main()
