"""What each policy is worth: missed objectives with each switched off in turn, on the virtual clock.

    python loadtest/ablation.py TRACES [--scenario tests/scenarios/chain_fixed.yaml ...] [--loads 0.9 ...] [--seeds 3]

TRACES is a folder as loadtest/policy_table.py reads it. Prints per cent missed, mean over the seeds; refused and
unfinished runs are misses.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from catenary.simulation.scenario import load_scenario
from catenary.simulation.simulate import simulate
from policy_table import SCENARIOS, traces

OFF: dict[str, tuple[str, ...]] = {
    "all on": (),
    "order: first come": ("router.ordering=fcfs",),
    "order: earliest deadline": ("router.ordering=edf",),
    "triage in the queue": ("router.triage=false",),
    "expected runs": ("gateway.expect_s=0",),
    "crowded-out runs": ("gateway.shed_crowded=false",),
    "lost runs": ("gateway.shed_lost=false", "router.shed_lost=false"),
    "admission by chance": ("gateway.admission=none",),
    "slack-aware routing": ("router.routing=least_loaded",),
    "protection of residents": ("router.protect=false",),
}


def missed(scenario: Path, overrides: tuple[str, ...], files: list[Path]) -> float:
    loaded = load_scenario(scenario, "catenary", overrides)
    return 100 * statistics.fmean(simulate(loaded, "catenary", 1, trace)[0].missed for trace in files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", type=Path)
    names = ("chain_fixed", "chain_own")
    parser.add_argument("--scenario", type=Path, nargs="+", default=[SCENARIOS / f"{name}.yaml" for name in names])
    parser.add_argument("--loads", nargs="+", default=["0.9", "1.0", "1.1", "1.3", "burst"])
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    by_load = {load: files[: args.seeds] for load, files in traces(args.traces).items() if load in args.loads}
    for scenario in args.scenario:
        print(f"{scenario.stem + ', without':<28}" + "".join(f"{load:>8}" for load in by_load))
        for name, overrides in OFF.items():
            row = [missed(scenario, overrides, files) for files in by_load.values()]
            print(f"{name:<28}" + "".join(f"{value:>8.1f}" for value in row), flush=True)


if __name__ == "__main__":
    main()
