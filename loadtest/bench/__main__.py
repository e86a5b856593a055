"""Catenary beside Ray Serve on the same emulated engines.

python -m bench run [--traces DIR] [--full] [--real CSV] [--systems ...] [--keep | --resume] [--out DIR]
python -m bench report [--out DIR]
python -m bench split [--traces DIR]
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace
from pathlib import Path

from bench.comparison import add_simulated, compare, jobs_of, missing, read_rows
from bench.pieces import SCENARIOS, full, quick, real
from bench.report import write_report
from bench.simulated import best_splits
from bench.versions import ROOT
from bench.work import load_work

RESULTS = ROOT / "loadtest" / "results"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=_Raw)
    parser.add_argument("command", choices=["run", "simulate", "report", "split"])
    parser.add_argument("--traces", type=Path, help="folder of chain_LOAD_seedN.csv; else runs are drawn with the seed")
    parser.add_argument("--full", action="store_true", help="all loads, three seeds")
    parser.add_argument("--systems", nargs="+", help="only these")
    parser.add_argument("--only", nargs="+", help="only these pieces: SCENARIO or SCENARIO:LOAD")
    parser.add_argument("--seeds", type=int, nargs="+", help="each piece with each of these, one seed after the other")
    parser.add_argument("--seconds", type=float, help="only so much of each piece")
    parser.add_argument("--real", type=Path, help="instead: arrivals and lengths of this trace of single requests")
    parser.add_argument("--keep", action="store_true", help="keep the rows of earlier measurements")
    parser.add_argument("--resume", action="store_true", help="keep, and measure only what has no row of this commit")
    parser.add_argument("--no-simulation", action="store_true", help="leave that column to the simulate command")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--ray-python", type=Path, default=ROOT / ".venv-ray" / "bin" / "python")
    args = parser.parse_args()
    if args.command in ("run", "simulate"):
        pieces = real(args.real) if args.real else full() if args.full else quick()
        if args.seeds:
            pieces = list(dict.fromkeys(replace(one, seed=seed) for seed in args.seeds for one in pieces))
        if args.seconds:
            pieces = [replace(one, seconds=args.seconds) for one in pieces]
        if args.only:
            pieces = [one for one in pieces if {one.scenario, f"{one.scenario}:{one.load}"} & set(args.only)]
        jobs = jobs_of(pieces, args.systems, args.traces, args.out)
        if args.command == "run":
            left = missing(jobs, read_rows(args.out / "ray.json")) if args.resume else jobs
            asyncio.run(compare(left, args.out, args.ray_python, args.keep or args.resume))
        if args.command == "simulate" or not args.no_simulation:
            add_simulated(jobs, args.out)
        write_report(args.out)
    elif args.command == "report":
        write_report(args.out)
    else:
        _print_splits(args.traces)


def _print_splits(traces: Path | None) -> None:
    """At load 1.0, first come, first served."""
    trace = traces / "chain_1.0_seed1.csv" if traces else SCENARIOS / "traces" / "chain_1.0_seed1.csv"
    for missed, split in best_splits(load_work(SCENARIOS / "chain_own.yaml", trace)):
        print(f"{'/'.join(map(str, split.values()))}  {100 * missed:5.1f} % missed", flush=True)


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the description."""


if __name__ == "__main__":
    main()
