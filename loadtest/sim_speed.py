"""How many times faster than real time the simulator is.

    python loadtest/sim_speed.py [TRACE ...] [--scenario FILE] [--policy catenary] [--repeats 5]

Prints, for each trace and as the median over the repeats, the simulated seconds per second of processor time (user and
system of this process; the whole command's start is printed beside). Without a trace: the scenario's own arrivals.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from catenary.simulation.scenario import load_scenario
from catenary.simulation.simulate import prepare

SCENARIOS = Path(__file__).parent.parent / "tests" / "scenarios"


def measure(scenario: Path, policy: str, trace: Path | None) -> tuple[float, float, int]:
    """Simulated seconds, processor seconds and events of one simulation."""
    start = time.process_time()
    cluster, _ = prepare(load_scenario(scenario, policy), 1, trace)
    cluster.run()
    return cluster.heap.now, time.process_time() - start, cluster.heap.num_events


def start_up_s() -> float:
    """Processor time of a simulation command with next to nothing to simulate."""
    command = [sys.executable, "-m", "catenary.cli.main", "simulate", str(SCENARIOS / "chain_fixed.yaml")]
    start = time.perf_counter()
    subprocess.run([*command, "--set", "work.phases=[{duration_s: 0.05}]"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", type=Path, nargs="*")
    parser.add_argument("--scenario", type=Path, default=SCENARIOS / "chain_fixed.yaml")
    parser.add_argument("--policy", default="catenary")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    for trace in args.traces or [None]:
        rounds = [measure(args.scenario, args.policy, trace) for _ in range(args.repeats)]
        ratios = sorted(simulated / spent for simulated, spent, _ in rounds)
        simulated, _, events = rounds[0]
        print(
            f"{args.scenario.stem} {args.policy} {trace.name if trace else ''}: {simulated:.1f} s simulated, {events} "
            f"events, {statistics.median(ratios):.0f} x real time ({ratios[0]:.0f} to {ratios[-1]:.0f}), "
            f"{statistics.median(spent for _, spent, _ in rounds):.2f} s of processor"
        )
    print(f"start of the command: {statistics.median(start_up_s() for _ in range(args.repeats)):.2f} s")


if __name__ == "__main__":
    main()
