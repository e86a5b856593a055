"""The same runs on a loopback cluster and in simulation, side by side.

    python loadtest/fidelity.py [--loads 0.5 0.8 1.0] [--seconds 60] [--scenario FILE] [--seed 1]

The cluster is real: every service a process, gRPC, the store with its append-only file; its engines are emulated from
the scenario's profiles, and runs arrive in an open loop. Both get the same warm-up, arrivals, prompts and lengths.
Exits with 1 where attainment differs by more than 3 points, p50 by more than 10 % or p95 by more than 15 %. Needs an
idle machine: what the services wait for a processor is not simulated.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.catenary_system import CatenarySystem, one_model_each
from bench.measure import measure
from bench.simulated import warmed_runs
from bench.work import Work, load_work
from catenary.model.outcome import Outcome
from catenary.simulation.report import quantile

SCENARIO = Path(__file__).parent.parent / "tests" / "scenarios" / "chain_fixed.yaml"
POINTS, P50, P95 = 0.03, 0.10, 0.15


@dataclass(frozen=True, slots=True)
class Figures:
    """Share of the runs in time; latencies (s) of those that succeeded."""

    runs: int
    attainment: float
    p50_s: float
    p95_s: float

    @classmethod
    def of(cls, runs: int, num_met: int, latencies_s: Sequence[float]) -> Figures:
        ordered = sorted(latencies_s)
        return cls(runs, num_met / runs if runs else 0.0, quantile(ordered, 0.5), quantile(ordered, 0.95))


def simulated(work: Work) -> Figures:
    runs = warmed_runs(work, work.scenario)
    latencies = [run.e2e_s for run in runs if run is not None and run.outcome is Outcome.SUCCEEDED]
    return Figures.of(len(runs), sum(run is not None and run.met for run in runs), latencies)


async def measured(work: Work, raw: Path) -> Figures:
    system = CatenarySystem("catenary", work, one_model_each(work.scenario.replicas), {})
    finished = (await measure(system, work, raw, lambda one: None)).finished
    good = [one for one in finished if one.ending.succeeded]
    met = sum(one.latency_s <= one.arrival.deadline_s for one in good)
    return Figures.of(len(finished), met, [one.latency_s for one in good])


def line(load: float, ours: Figures, theirs: Figures) -> tuple[str, bool]:
    """A row of the table, and whether the simulation is close enough."""
    points = ours.attainment - theirs.attainment
    p50, p95 = ours.p50_s / theirs.p50_s - 1, ours.p95_s / theirs.p95_s - 1
    close = abs(points) <= POINTS and abs(p50) <= P50 and abs(p95) <= P95
    text = (
        f"{load:>4} {ours.runs:>6} {100 * ours.attainment:>8.1f} {100 * theirs.attainment:>8.1f} {100 * points:>+6.1f}"
        f" {ours.p50_s:>8.2f} {theirs.p50_s:>8.2f} {100 * p50:>+6.1f} {ours.p95_s:>8.2f} {theirs.p95_s:>8.2f}"
        f" {100 * p95:>+6.1f}  {'close' if close else 'APART'}"
    )
    return text, close


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", type=Path, default=SCENARIO)
    parser.add_argument("--loads", type=float, nargs="+", default=[0.5, 0.8, 1.0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print("load   runs  in time  cluster    pts    p50 s  cluster      %    p95 s  cluster      %", flush=True)
    apart = 0
    with tempfile.TemporaryDirectory(prefix="catenary-fidelity-") as folder:
        for load in args.loads:
            overrides = [f"work.phases=[{{duration_s: {args.seconds}, load: {load}}}]"]
            work = load_work(args.scenario, None, args.seed, overrides)
            row, close = line(load, simulated(work), asyncio.run(measured(work, Path(folder) / str(load))))
            apart += not close
            print(row, flush=True)
    sys.exit(1 if apart else 0)


if __name__ == "__main__":
    main()
