"""Which runs a comparison consists of: pieces of load, and the systems that take each in turn."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from azure import write_trace
from bench.versions import ROOT
from bench.work import Work, load_work
from catenary.simulation.scenario import load_scenario

SCENARIOS = ROOT / "tests" / "scenarios"
BURST = "[{duration_s: 30, load: 0.5}, {duration_s: 20, load: 1.6}, {duration_s: 40, load: 0.5}]"
TENANTS = ("red", "green", "blue")
ALL = ("ray_fixed", "catenary", "ray_tuned", "catenary_blind", "ray_split", "catenary_shared", "ray_slack")
PAIR = ("ray_fixed", "catenary")
AUTO = ("ray_auto", "catenary_auto")
SHAPES = ("parallel", "branch", "map")
START_S = (3.0, 5.0, 0.5)
"""Of an engine in a burst. 0.5: of one in vLLM's sleep mode on an H100; 3: of an 8-billion one there that reads its
weights again (docs/benchmarks-gpu.md); 5: longer than any there."""
LOADS = ("0.8", "0.9", "1.0", "1.1", "1.3")


@dataclass(frozen=True, slots=True)
class Piece:
    """``load``: a factor of the scenario's rate, "burst", or the name of a trace; ``seconds``: only the first of it.

    ``source``: a trace of single requests that gives the arrivals and lengths. ``start_s``: what an engine takes from
    the order to start it until it takes calls, where engines start under load; else the scenario's.
    """

    scenario: str
    load: str
    seed: int
    systems: tuple[str, ...]
    seconds: float | None = None
    source: Path | None = None
    start_s: float | None = None


def real(source: Path) -> list[Piece]:
    """Real arrivals around the knee, three minutes a system."""
    return [Piece("chain_own", load, 1, PAIR, 60, source) for load in ("0.9", "1.1")]


def quick() -> list[Piece]:
    """About 20 minutes: overload, in which policies differ most, a burst, and three other shapes."""
    return [
        Piece("chain_own", "1.1", 1, ALL),
        Piece("chain_own_burst12", "burst", 1, AUTO, start_s=START_S[0]),
        Piece("chain_own", "1.3", 1, PAIR),
        *(Piece(shape, "1.2", 1, PAIR, 20) for shape in SHAPES),
    ]


def full() -> list[Piece]:
    """All loads and three seeds, about eight hours."""
    systems = (*ALL, *AUTO, "ray_auto_default")
    chains = [Piece("chain_own", load, seed, systems) for seed in (1, 2, 3) for load in LOADS]
    bursts = [
        one
        for seed in (1, 2, 3)
        for one in (
            Piece("chain_own", "burst", seed, ALL),
            *(Piece("chain_own_burst12", "burst", seed, systems[-3:], start_s=start_s) for start_s in START_S),
        )
    ]
    fixed = [Piece("chain_fixed", load, seed, PAIR) for seed in (1, 2, 3) for load in LOADS]
    shapes = [Piece(shape, load, seed, PAIR) for seed in (1, 2, 3) for shape in SHAPES for load in ("0.9", "1.2")]
    return [*chains, *bursts, *fixed, *shapes]


def work_of(piece: Piece, traces: Path | None, out: Path) -> Work:
    """A trace ``chain_LOAD_seedN.csv`` (or ``LOAD.csv``) of the folder where there is one; else drawn with the seed.

    Raises:
        ScenarioError: a file cannot be used.
    """
    scenario = SCENARIOS / f"{piece.scenario}.yaml"
    starts = () if piece.start_s is None else (f"wake_s={piece.start_s:g}",)
    if piece.source is not None:
        real_arrivals = real_trace(piece.source, piece.load, piece.seconds or 60.0, out)
        return load_work(scenario, real_arrivals, piece.seed, tenants=TENANTS)
    trace = _trace(piece, traces)
    if trace is not None:
        work = load_work(scenario, cut(trace, piece.seconds, out), piece.seed, starts, TENANTS)
        return replace(work, label=work.label + _start_label(piece))
    seconds = piece.seconds or 60.0
    phases = BURST if piece.load == "burst" else f"[{{duration_s: {seconds:g}, load: {piece.load}}}]"
    length = "" if piece.load == "burst" else f"_{seconds:g}s"
    overrides = [f"work.phases={phases}", f"name={piece.scenario}_{piece.load}{length}{_start_label(piece)}", *starts]
    return load_work(scenario, None, piece.seed, overrides, TENANTS)


def cut(trace: Path, seconds: float | None, out: Path) -> Path:
    """The trace, or a copy in ``out`` of its first ``seconds``."""
    if seconds is None:
        return trace
    with trace.open(newline="") as file:
        header, *rows = csv.reader(file)
    at = header.index("arrival_s")
    kept = [row for row in rows if float(row[at]) < seconds]
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{trace.stem}_{seconds:g}s.csv"
    _write(path, [header, *kept])
    return path


def real_trace(source: Path, load: str, seconds: float, out: Path) -> Path:
    """A stretch of a trace of single requests as runs of the chain (see loadtest/azure.py)."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{source.stem}_{load}_{seconds:g}s.csv"
    write_trace(source, load_scenario(SCENARIOS / "chain_own.yaml"), float(load), seconds, 1, path)
    return path


def _start_label(piece: Piece) -> str:
    return "" if piece.start_s is None else f"_start_{piece.start_s:g}s"


def _trace(piece: Piece, traces: Path | None) -> Path | None:
    if traces is None:
        return None
    names = [f"{piece.load}.csv"]
    if piece.scenario.startswith("chain"):
        names.insert(0, f"chain_{piece.load}_seed{piece.seed}.csv")
    return next((traces / name for name in names if (traces / name).is_file()), None)


def _write(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
