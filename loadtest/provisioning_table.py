"""Missed objectives, replica-seconds and switches of the provisioning policies, on the virtual clock.

    python loadtest/provisioning_table.py TRACES [--part shared burst12 mixshift azure ...] [--azure FILE] [--extra 3]

TRACES is a folder of chain_LOAD_seedN.csv files. Each row is the median over its seeds; ``--extra`` adds runs drawn
from the scenario's own distributions with seeds that no file has. ``--azure`` takes a public arrival trace (columns
TIMESTAMP, ContextTokens, GeneratedTokens): its arrivals carry the chain's lengths. ``--plot FILE.svg`` draws what the
parts with prices (burst12, azure) come to: attainment against replica-seconds, one curve per policy.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from catenary.simulation.report import Report
from catenary.simulation.scenario import load_scenario
from catenary.simulation.simulate import simulate

SCENARIOS = Path(__file__).parent.parent / "tests" / "scenarios"
SHARED_LOADS = ("0.9", "1.0", "1.1", "1.3", "burst")
SHIFT_LOADS = ("mixshift0.8", "mixshift1.0")
WAKES_S = (0.5, 5.0, 80.0)
PRICES = (0.3, 1.0, 2.0, 3.0, 4.0, 5.0)
TARGETS = (4.0, 6.0, 8.0, 12.0)
AZURE_S = 300.0
FIRST_EXTRA_SEED = 101

Rows = Iterator[tuple[str, Callable[[], list[Report]]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", type=Path)
    parser.add_argument("--part", nargs="+", default=["shared", "mixshift", "burst12"])
    parser.add_argument("--azure", type=Path, help="Arrival trace for the part azure.")
    parser.add_argument("--extra", type=int, default=0, help="Seeds beyond the files, where the scenario has the load.")
    parser.add_argument("--only", default="", help="Rows whose title has this regular expression.")
    parser.add_argument("--plot", type=Path, help="Draw attainment against replica-seconds of the rows with a price.")
    args = parser.parse_args()
    curves: dict[str, list[tuple[float, float]]] = {}
    print(f"{'':<44}{'missed %':>9}{'replica-s':>11}{'accel-s':>9}{'switches/min':>14}  of each seed, %")
    for part in args.part:
        for title, play in PARTS[part](args):
            if not re.search(args.only, title):
                continue
            reports = play()
            print(line(title, reports), flush=True)
            name, _, knob = title.partition(" at ")
            if knob:
                curves.setdefault(name, []).append((_median(reports, _cost), 1 - _median(reports, _missed)))
    if args.plot is not None:
        from catenary.simulation.plots import attainment_over_cost

        attainment_over_cost(curves, args.plot)


def _median(reports: Sequence[Report], value: Callable[[Report], float]) -> float:
    return statistics.median(value(report) for report in reports)


def _missed(report: Report) -> float:
    return report.missed


def _cost(report: Report) -> float:
    return report.replica_seconds


def line(title: str, reports: Sequence[Report]) -> str:
    most = max(60 * report.switches / report.duration_s for report in reports)
    each = " ".join(f"{100 * report.missed:.1f}" for report in reports)
    return (
        f"{title:<44}{100 * _median(reports, _missed):>9.2f}{_median(reports, _cost):>11.0f}"
        f"{_median(reports, lambda r: r.accelerator_seconds):>9.0f}{most:>14.1f}  {each}"
    )


def files(folder: Path, load: str) -> list[Path]:
    name = re.compile(rf"chain_{re.escape(load)}_seed\d+\.csv")
    found = [path for path in sorted(folder.iterdir()) if name.fullmatch(path.name)]
    if not found:
        raise SystemExit(f"{folder}: has no chain_{load}_seedN.csv")
    return found


def played(scenario: str, paths: Sequence[Path], extra: int, policy: str = "catenary", *changes: str) -> list[Report]:
    def one(path: Path | None, seed: int) -> Report:
        return simulate(load_scenario(SCENARIOS / f"{scenario}.yaml", policy, changes), policy, seed, path)[0]

    reports = [one(path, 1) for path in paths]
    return reports + [one(None, FIRST_EXTRA_SEED + number) for number in range(extra)]


def shared(args: argparse.Namespace) -> Rows:
    split = ("replicas.A=1", "replicas.C=3")
    for load in SHARED_LOADS:
        paths, extra = files(args.traces, load), args.extra if load == "1.0" else 0
        yield f"{load}: fcfs on 2/2/2", partial(played, "chain_own", paths, 0, "fcfs")
        yield f"{load}: fcfs on 1/2/3", partial(played, "chain_own", paths, 0, "fcfs", *split)
        yield f"{load}: catenary on 2/2/2", partial(played, "chain_own", paths, 0)
        yield f"{load}: catenary on 1/2/3", partial(played, "chain_own", paths, 0, "catenary", *split)
        yield f"{load}: chain_own_shared, risk", partial(played, "chain_own_shared", paths, extra)


def mixshift(args: argparse.Namespace) -> Rows:
    for load in SHIFT_LOADS:
        play = partial(played, "chain_own_shared", files(args.traces, load), 0, "catenary")
        for policy in ("static", "reactive", "risk"):
            yield f"{load}: {policy}", partial(play, f"provisioner.policy={policy}")


def burst12(args: argparse.Namespace) -> Rows:
    paths = files(args.traces, "burst")
    for wake_s in WAKES_S:
        wake = f"wake_s={wake_s}"
        yield from _curve(f"burst12, wake {wake_s:g} s", paths, args.extra, wake)


def azure(args: argparse.Namespace) -> Rows:
    if args.azure is None:
        raise SystemExit("--azure: name the arrival trace")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "azure.csv"
        convert(args.azure, path)
        yield from _curve("azure", [path], 0, "accelerators=16")


def _curve(title: str, paths: Sequence[Path], extra: int, change: str) -> Rows:
    play = partial(played, "chain_own_burst12", paths, extra, "catenary", change)
    for price in PRICES:
        yield f"{title}: risk at price {price:g}", partial(play, f"provisioner.replica_price={price}")
    for target in TARGETS:
        reactive = ("provisioner.policy=reactive", f"provisioner.target_calls={target}")
        yield f"{title}: reactive at {target:g} calls", partial(play, *reactive)


def convert(source: Path, target: Path) -> None:
    """The first ``AZURE_S`` seconds of arrivals, with lengths drawn as the chain's are."""
    draw = random.Random(1)

    def tokens(median: float, sigma: float, low: int, high: int) -> int:
        return min(high, max(low, round(median * draw.lognormvariate(0.0, sigma))))

    with source.open(newline="") as file, target.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["arrival_s", "prompt_tokens", "a_tokens", "b_tokens", "c_tokens"])
        start: datetime | None = None
        for row in csv.DictReader(file):
            at = datetime.fromisoformat(row["TIMESTAMP"][:26])
            start = start or at
            arrival_s = (at - start).total_seconds()
            if arrival_s > AZURE_S:
                return
            outputs = [tokens(median, 0.6, 8, 400) for median in (100, 100, 70)]
            writer.writerow([f"{arrival_s:.4f}", tokens(256, 0.4, 32, 1024), *outputs])


PARTS: dict[str, Callable[[argparse.Namespace], Rows]] = {
    "shared": shared,
    "mixshift": mixshift,
    "burst12": burst12,
    "azure": azure,
}

if __name__ == "__main__":
    main()
