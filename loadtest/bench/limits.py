"""How far each system goes, in simulation: the load and the smallest deadlines at which nearly all runs are in time.

    python -m bench.limits [--seeds 1 2 3] [--steps 5] [--systems ...] [--out DIR]

The chain with Poisson arrivals drawn with each seed, 60 s; most of the seeds decide each step of a bisection. Writes
``limits.json``, which the report shows; systems that are not named keep their rows, and figures found at this commit
are not sought again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.pieces import SCENARIOS
from bench.simulated import simulated_missed
from bench.versions import ROOT, git_hash
from bench.work import load_work

SYSTEMS = ("ray_fixed", "ray_split", "ray_slack", "ray_all_up", "catenary", "catenary_shared", "catenary_auto")
LOADS = (0.6, 1.2)
LOADS_OF_TWELVE = (1.2, 2.4)
TWELVE = ("ray_all_up", "catenary_auto")
"""With twice the accelerators: 4/4/4, or any twelve."""
SCALES = (3.0, 1.2)
DEADLINES_S = (12.0, 3.0)
AT_LOAD = 0.9
AT_SCALE = 2.0
OWN, FIXED = "own", "fixed_s"


@dataclass(frozen=True, slots=True)
class Limits:
    """``load_99``: at which 99 % of the runs end within twice their own latency. At load 0.9 the smallest deadlines
    that 95 and 99 % of the runs meet: ``own_95`` and ``own_99`` times their own latency, or one of so many seconds for
    all. None: not within what was looked at."""

    system: str
    seeds: int
    git: str
    load_99: float | None = None
    own_95: float | None = None
    own_99: float | None = None
    fixed_95_s: float | None = None
    fixed_99_s: float | None = None


def limits(known: Limits, seeds: Sequence[int], steps: int) -> Iterator[Limits]:
    """``known`` with one figure after the other, each of which takes a minute or more."""

    def least(objective: str, share: float, ends: tuple[float, float]) -> float | None:
        return bisect(lambda value: holds(known.system, AT_LOAD, objective, value, share, seeds), ends, steps)

    loads = LOADS_OF_TWELVE if known.system in TWELVE else LOADS
    searches: Mapping[str, Callable[[], float | None]] = {
        "load_99": lambda: bisect(lambda load: holds(known.system, load, OWN, AT_SCALE, 0.01, seeds), loads, steps),
        "own_95": lambda: least(OWN, 0.05, SCALES),
        "own_99": lambda: least(OWN, 0.01, SCALES),
        "fixed_95_s": lambda: least(FIXED, 0.05, DEADLINES_S),
        "fixed_99_s": lambda: least(FIXED, 0.01, DEADLINES_S),
    }
    for name, search in searches.items():
        if getattr(known, name) is None:
            known = Limits(**{**asdict(known), name: search()})
            yield known


def holds(system: str, load: float, objective: str, value: float, share: float, seeds: Sequence[int]) -> bool:
    """Whether at most ``share`` of the runs miss with most of the seeds."""
    good = bad = 0
    for seed in seeds:
        if missed(system, load, objective, value, seed) <= share:
            good += 1
        else:
            bad += 1
        if max(good, bad) > len(seeds) // 2:
            break
    return good > bad


def missed(system: str, load: float, objective: str, value: float, seed: int) -> float:
    overrides = [f"work.phases=[{{duration_s: 60, load: {load}}}]", f"objective={{{objective}: {value}}}"]
    found = simulated_missed(system, load_work(SCENARIOS / "chain_own.yaml", None, seed, overrides))
    if found is None:
        raise ValueError(f"the simulator has no {system}")
    return found


def bisect(holds: Callable[[float], bool], ends: tuple[float, float], steps: int) -> float | None:
    """The edge of the values for which it holds, between one where it should and one where it does not; None: it holds
    for none of those tried."""
    good, bad = ends
    found = None
    for _ in range(steps):
        middle = (good + bad) / 2
        if holds(middle):
            good = found = middle
        else:
            bad = middle
    return found


def read_limits(folder: Path) -> list[Limits]:
    path = folder / "limits.json"
    return [Limits(**values) for values in json.loads(path.read_text())] if path.is_file() else []


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.limits", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--systems", nargs="+", default=SYSTEMS)
    parser.add_argument("--out", type=Path, default=ROOT / "loadtest" / "results")
    args = parser.parse_args()
    for system in args.systems:
        known = next((one for one in read_limits(args.out) if one.system == system), None)
        if known is None or (known.seeds, known.git) != (len(args.seeds), git_hash()):
            known = Limits(system, len(args.seeds), git_hash())
        for found in limits(known, args.seeds, args.steps):
            print(found, flush=True)
            _write(args.out, [*(one for one in read_limits(args.out) if one.system != system), found])


def _write(folder: Path, rows: Sequence[Limits]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "limits.json").write_text(json.dumps([asdict(one) for one in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
