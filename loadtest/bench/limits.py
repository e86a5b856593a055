"""How far each policy goes, in simulation: the load and the smallest deadline at which 95 or 99 % of runs are in time.

    python -m bench.limits [--seeds 1 2 3] [--steps 6]

The chain with Poisson arrivals drawn with each seed, 60 s; the median over the seeds decides each step of a bisection.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Mapping, Sequence

from bench.pieces import SCENARIOS
from bench.systems import SPLITS
from catenary.simulation.presets import PRESETS
from catenary.simulation.scenario import Scenario, load_scenario, parse_scenario
from catenary.simulation.simulate import simulate

SCALES = (6.0, 1.0)
LOADS = (0.3, 1.5)
AT_LOAD = 0.9
AT_SCALE = 2.0
FIXED: Mapping[str, int] = {"A": 2, "B": 2, "C": 2}


def missed(preset: str, replicas: Mapping[str, int], load: float, scale: float, seeds: Sequence[int]) -> float:
    """Share of the runs, median over the seeds."""
    scenario = _scenario(preset, replicas, load, scale)
    return statistics.median(simulate(scenario, preset, seed)[0].missed for seed in seeds)


def most_load(preset: str, replicas: Mapping[str, int], args: argparse.Namespace) -> float:
    """At which 99 % of the runs end within twice their own latency."""
    return bisect(lambda load: missed(preset, replicas, load, AT_SCALE, args.seeds) <= 0.01, LOADS, args.steps)


def least_scale(preset: str, replicas: Mapping[str, int], share: float, args: argparse.Namespace) -> float:
    """Smallest k at load 0.9 with which at most ``share`` of the runs take longer than k times their own latency."""
    return bisect(lambda k: missed(preset, replicas, AT_LOAD, k, args.seeds) <= share, SCALES, args.steps)


def bisect(holds: Callable[[float], bool], ends: tuple[float, float], steps: int) -> float:
    """The edge of the values for which it holds, between a value where it does and one where it does not."""
    good, bad = ends
    for _ in range(steps):
        middle = (good + bad) / 2
        good, bad = (middle, bad) if holds(middle) else (good, middle)
    return good


def _scenario(preset: str, replicas: Mapping[str, int], load: float, scale: float) -> Scenario:
    overrides = [f"work.phases=[{{duration_s: 60, load: {load}}}]", f"objective.own={scale}"]
    data = load_scenario(SCENARIOS / "chain_own.yaml", "catenary", overrides).model_dump()
    return parse_scenario(PRESETS[preset]({**data, "replicas": dict(replicas)}))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.limits", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=6)
    args = parser.parse_args()
    print(f"{'policy':<10} {'replicas':<9} {'load for 99 %':>13} {'k for 95 %':>11} {'k for 99 %':>11}")
    for replicas in (FIXED, SPLITS["chain"]):
        for preset in ("fcfs", "edf", "catenary"):
            load = most_load(preset, replicas, args)
            scales = [least_scale(preset, replicas, share, args) for share in (0.05, 0.01)]
            split = "/".join(map(str, replicas.values()))
            print(f"{preset:<10} {split:<9} {load:>13.2f} {scales[0]:>11.2f} {scales[1]:>11.2f}", flush=True)


if __name__ == "__main__":
    main()
